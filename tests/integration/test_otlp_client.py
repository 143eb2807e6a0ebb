"""The OpenTelemetry SDK, unmodified, exporting over HTTP to a real ingest process: what comes out of the buffer."""

import asyncio
import gzip
import json
import time
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from tests.integration.servers import Server
from tests.integration.test_ingest_http import Workers, drained
from zero.domain.entry import Level, LogEntry

RESOURCE = {
    "service.name": "checkout",
    "service.namespace": "shop",
    "host.name": "node-7",
    "service.instance.id": "i-1",
    "deployment.environment": "staging",
    "process.pid": 4711,
}
TRACE_ID, SPAN_ID = 0x5B8EFFF798038103D269B633813FC60C, 0xEEE19B7EC3C1B174


@pytest.fixture
def workers(own_valkey: Server) -> Iterator[Workers]:
    workers = Workers(own_valkey.url, 1).wait()
    yield workers
    assert workers.stop() == [0]


def provider(workers: Workers, **options: object) -> LoggerProvider:
    made = LoggerProvider(resource=Resource(RESOURCE), shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint=f"http://127.0.0.1:{workers.port}/v1/logs", **options)
    made.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return made


def entries(server: Server) -> list[LogEntry]:
    return asyncio.run(drained(server.url))


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_a_record_of_the_sdk_comes_out_field_by_field(workers, own_valkey, compression):
    logs = provider(workers, compression=compression)
    context = set_span_in_context(NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, False, TraceFlags(1))))
    now_ns = time.time_ns() - 321
    logger = logs.get_logger("shop.cart", "1.2.3", attributes={"team": "blue"})
    logger.emit(
        LogRecord(
            timestamp=now_ns,
            context=context,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body="stock is low: é",
            attributes={"sku": "A-1", "left": 3, "ratio": 0.5, "hot": True, "tags": ["a", "b"], "who": {"name": "x", "n": [1]}},
            event_name="stock.low",
        )
    )
    logs.shutdown()
    (entry,) = entries(own_valkey)
    assert entry == LogEntry(
        message="stock is low: é",
        timestamp_ns=now_ns,
        level=Level.WARN,
        app_id="checkout",
        source="node-7",
        environment="staging",
        trace_id="5b8efff798038103d269b633813fc60c",
        span_id="eee19b7ec3c1b174",
        user_id="",
        metadata=entry.metadata,
    )
    telemetry = {key: value for key, value in entry.metadata.items() if key.startswith("telemetry.")}
    assert {key: value for key, value in entry.metadata.items() if key not in telemetry} == {
        "service.namespace": "shop",
        "service.instance.id": "i-1",
        "process.pid": 4711,
        "scope.name": "shop.cart",
        "scope.version": "1.2.3",
        "team": "blue",
        "sku": "A-1",
        "left": 3,
        "ratio": 0.5,
        "hot": True,
        "tags": '["a","b"]',
        "who.name": "x",
        "who.n": "[1]",
        "event_name": "stock.low",
        "flags": 1,
    }


def test_a_structured_body_is_json_text(workers, own_valkey):
    logs = provider(workers)
    logs.get_logger("shop").emit(LogRecord(body={"order": 7, "items": ["a", None]}, severity_number=SeverityNumber.ERROR3))
    logs.shutdown()
    (entry,) = entries(own_valkey)
    assert json.loads(entry.message) == {"order": 7, "items": ["a", None]}
    assert (entry.level, entry.metadata["severity_number"]) == (Level.ERROR, 19)


def test_a_thousand_records_come_out_in_their_order(workers, own_valkey):
    logs = provider(workers)
    logger = logs.get_logger("shop")
    for number in range(1_000):
        logger.emit(LogRecord(body=f"record {number}"))
    logs.shutdown()
    assert [entry.message for entry in entries(own_valkey)] == [f"record {number}" for number in range(1_000)]


def test_the_example_of_the_specification_is_read(workers, own_valkey):
    """The record of examples/logs.json in the protocol's repository, with a time of today."""
    record = {
        "severityNumber": 10,
        "severityText": "Information",
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
        "body": {"stringValue": "Example log record"},
        "attributes": [
            {"key": "string.attribute", "value": {"stringValue": "some string"}},
            {"key": "boolean.attribute", "value": {"boolValue": True}},
            {"key": "int.attribute", "value": {"intValue": "10"}},
            {"key": "double.attribute", "value": {"doubleValue": 637.704}},
            {
                "key": "array.attribute",
                "value": {"arrayValue": {"values": [{"stringValue": "many"}, {"stringValue": "values"}]}},
            },
            {
                "key": "map.attribute",
                "value": {"kvlistValue": {"values": [{"key": "some.map.key", "value": {"stringValue": "some value"}}]}},
            },
        ],
    }
    scope = {"name": "my.library", "version": "1.0.0"}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [record]}]}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{workers.port}/v1/logs",
        gzip.compress(json.dumps(body).encode()),
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert (response.status, response.read()) == (200, b"{}")
    (entry,) = entries(own_valkey)
    assert (entry.app_id, entry.message, entry.level) == ("my.service", "Example log record", Level.INFO)
    assert (entry.trace_id, entry.span_id) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert entry.metadata == {
        "scope.name": "my.library",
        "scope.version": "1.0.0",
        "string.attribute": "some string",
        "boolean.attribute": True,
        "int.attribute": 10,
        "double.attribute": 637.704,
        "array.attribute": '["many","values"]',
        "map.attribute.some.map.key": "some value",
        "severity_number": 10,
    }
