"""python-logging-loki, unmodified, pushing to a real ingest process: what comes out of the buffer."""

import asyncio
import logging
import time
from collections.abc import Iterator

import cramjam
import logging_loki
import pytest
import requests

from tests.integration.servers import Server
from tests.integration.test_ingest_http import Workers, drained
from zero.domain.entry import Level, LogEntry
from zero.infrastructure.codec.protobuf_wire import bytes_field, varint_field


@pytest.fixture
def workers(own_valkey: Server) -> Iterator[Workers]:
    workers = Workers(own_valkey.url, 1).wait()
    yield workers
    assert workers.stop() == [0]


@pytest.fixture
def url(workers: Workers) -> str:
    return f"http://127.0.0.1:{workers.port}/loki/api/v1/push"


def test_a_record_of_the_handler_comes_out_field_by_field(url, own_valkey):
    handler = logging_loki.LokiHandler(url=url, tags={"app": "checkout", "env": "staging", "host": "node-7"}, version="1")
    failures: list[object] = []
    handler.handleError = failures.append
    logger = logging.getLogger("shop.cart")
    logger.addHandler(handler)
    began_ns = time.time_ns()
    try:
        logger.error("stock is low: %s", "é", extra={"tags": {"sku": "A-1", "left": 3, "trace_id": "5b8e"}})
        logger.critical("gone")
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert failures == []
    first, second = asyncio.run(drained(own_valkey.url))
    assert began_ns - 1_000 <= first.timestamp_ns <= time.time_ns()
    assert first == LogEntry(
        message="stock is low: é",
        timestamp_ns=first.timestamp_ns,
        level=Level.ERROR,
        app_id="checkout",
        source="node-7",
        environment="staging",
        trace_id="5b8e",
        span_id="",
        user_id="",
        metadata={"logger": "shop.cart", "sku": "A-1", "left": 3},
    )
    assert (second.message, second.level) == ("gone", Level.FATAL)


def test_a_push_as_the_agents_write_it_comes_out_field_by_field(url, own_valkey):
    """Snappy and protobuf, with structured metadata: made here, for no agent can be installed from a package registry."""
    now_ns = time.time_ns()
    when = varint_field(1, now_ns // 10**9) + varint_field(2, now_ns % 10**9)
    found = {b"trace_id": b"5b8efff798038103", b"span_id": b"eee1", b"detected_level": b"warn", b"pod": b"cart-1"}
    metadata = b"".join(bytes_field(3, bytes_field(1, name) + bytes_field(2, value)) for name, value in found.items())
    entry = bytes_field(1, when) + bytes_field(2, b"stock is low") + metadata
    labels = b'{service_name="checkout", job="shop/cart", level="unknown", instance="node-7:80", note="a \\"b\\"\\n"}'
    body = bytes(cramjam.snappy.compress_raw(bytes_field(1, bytes_field(1, labels) + bytes_field(2, entry))))
    answer = requests.post(url, body, headers={"Content-Type": "application/x-protobuf"}, timeout=60)
    assert (answer.status_code, answer.content) == (204, b"")
    assert asyncio.run(drained(own_valkey.url)) == [
        LogEntry(
            message="stock is low",
            timestamp_ns=now_ns,
            level=Level.WARN,
            app_id="checkout",
            source="node-7:80",
            environment="prod",
            trace_id="5b8efff798038103",
            span_id="eee1",
            user_id="",
            metadata={"note": 'a "b"\n', "pod": "cart-1", "job": "shop/cart", "level": "unknown"},
        )
    ]
