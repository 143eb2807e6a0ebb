"""The official Elasticsearch client, unmodified, sending bulks to a real ingest process: what comes out of the buffer."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from elasticsearch import ApiError, Elasticsearch, helpers

from tests.integration.servers import Server
from tests.integration.test_ingest_http import Workers, drained
from zero.domain.entry import Level, LogEntry


@pytest.fixture
def workers(own_valkey: Server) -> Iterator[Workers]:
    workers = Workers(own_valkey.url, 1).wait()
    yield workers
    assert workers.stop() == [0]


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def client(workers: Workers, request: pytest.FixtureRequest) -> Iterator[Elasticsearch]:
    with Elasticsearch(f"http://127.0.0.1:{workers.port}", http_compress=request.param) as client:
        yield client


def test_the_client_takes_the_server_for_one_of_its_own(client):
    assert client.ping()
    assert client.info()["version"]["number"].startswith("8.")
    assert client.cluster.health()["status"] == "green"


def test_documents_of_helpers_bulk_come_out_field_by_field(client, own_valkey):
    now_ns = time.time_ns() // 1_000 * 1_000
    document = {
        "@timestamp": datetime.fromtimestamp(now_ns / 10**9, UTC).replace(microsecond=now_ns // 1_000 % 10**6),
        "message": "stock is low: é",
        "log": {"level": "warning", "logger": "shop.cart"},
        "service": {"name": "cart", "environment": "staging", "version": "1.2"},
        "host": {"name": "node-7"},
        "trace.id": "5b8efff798038103d269b633813fc60c",
        "span.id": "eee19b7ec3c1b174",
        "user": {"id": "u7", "name": "x"},
        "labels": {"sku": "A-1", "left": 3, "ratio": 0.5, "hot": True},
        "tags": ["a", "b"],
    }
    actions = [
        {"_op_type": "create", "_index": "logs-checkout-dev", **document},
        {"_index": "shop-2026.11.22", "_id": "mine", "message": "second"},
    ]
    assert helpers.bulk(client, actions) == (2, [])
    first, second = asyncio.run(drained(own_valkey.url))
    assert first == LogEntry(
        message="stock is low: é",
        timestamp_ns=now_ns,
        level=Level.WARN,
        app_id="cart",
        source="node-7",
        environment="staging",
        trace_id="5b8efff798038103d269b633813fc60c",
        span_id="eee19b7ec3c1b174",
        user_id="u7",
        metadata={
            "log.logger": "shop.cart",
            "service.version": "1.2",
            "user.name": "x",
            "labels.sku": "A-1",
            "labels.left": 3,
            "labels.ratio": 0.5,
            "labels.hot": True,
            "tags": '["a","b"]',
        },
    )
    assert (second.app_id, second.environment, second.source) == ("shop", "prod", "127.0.0.1")
    assert second.metadata == {"_id": "mine"}


def test_the_index_of_a_data_stream_says_what_the_document_does_not(client, own_valkey):
    client.bulk(index="logs-checkout-dev", operations=[{"create": {}}, {"message": "m"}])
    (entry,) = asyncio.run(drained(own_valkey.url))
    assert (entry.app_id, entry.environment) == ("checkout", "dev")


def test_a_document_that_is_rejected_is_told_to_the_client_and_costs_no_other(client, own_valkey):
    actions = [{"_index": "shop", "message": f"m{number}"} if number != 3 else {"_index": "shop"} for number in range(6)]
    with pytest.raises(helpers.BulkIndexError) as caught:
        helpers.bulk(client, actions)
    (error,) = caught.value.errors
    assert error["index"]["status"] == 400
    assert error["index"]["error"]["reason"].startswith("message: missing or empty")
    assert [entry.message for entry in asyncio.run(drained(own_valkey.url))] == ["m0", "m1", "m2", "m4", "m5"]


def test_ten_thousand_documents_in_chunks_come_out_in_their_order(client, own_valkey):
    actions = ({"_op_type": "create", "_index": "shop", "message": f"m{number}"} for number in range(10_000))
    done, errors = helpers.bulk(client, actions, chunk_size=1_000)
    assert (done, errors) == (10_000, [])
    assert [entry.message for entry in asyncio.run(drained(own_valkey.url))] == [f"m{number}" for number in range(10_000)]


def test_an_action_that_is_none_is_an_error_of_the_client(client):
    with pytest.raises(ApiError) as caught:
        client.bulk(operations=[{"upsert": {}}, {"message": "m"}])
    assert caught.value.status_code == 400
    assert "not a bulk request" in caught.value.body["error"]["reason"]
