"""Every client, unmodified, over TLS and with a key in its own way, through the whole platform: what ``zero search`` finds."""

import gzip
import json
import logging
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import logging_loki
import pytest
from elasticsearch import Elasticsearch, helpers
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from tests.e2e.conftest import CA_VARIABLES, Shipping
from tests.e2e.test_up import ZERO
from tests.patience import READY_SECONDS_MAX

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")]

PROTO = Path(__file__).parents[2] / "proto"
TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
CONTEXT = set_span_in_context(NonRecordingSpan(SpanContext(int(TRACE_ID, 16), int(SPAN_ID, 16), False, TraceFlags(1))))
LOG = {
    "timestamp": "",
    "level": "WARN",
    "app_id": "",
    "message": "stock is low: é",
    "source": "node-7",
    "environment": "staging",
    "trace_id": TRACE_ID,
    "span_id": SPAN_ID,
    "user_id": "u7",
    "metadata": {"sku": "A-1", "left": 3, "ratio": 0.5, "hot": True, "who.name": "x", "tags": '["a","b"]'},
}
"""What the api shows of the log that every client ships, but for its time, its application, and what a protocol adds."""


def instant(now_ns: int) -> str:
    """Return the time as the api writes it."""
    return f"{datetime.fromtimestamp(now_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{now_ns % 10**9:09}Z"


def document(app_id: str, now_ns: int) -> dict[str, Any]:
    """Return LOG as an application writes it in JSON."""
    nested = {"sku": "A-1", "left": 3, "ratio": 0.5, "hot": True, "who": {"name": "x"}, "tags": ["a", "b"]}
    return {**LOG, "timestamp": instant(now_ns), "level": "warning", "app_id": app_id, "metadata": nested}


def written(app_id: str, now_ns: int) -> str:
    """Return the same as text, without blanks: arrays are kept as they were written."""
    return json.dumps(document(app_id, now_ns), separators=(",", ":"))


def check(platform: Shipping, expected: Iterable[dict[str, Any]]) -> None:
    """Compare what the key's tenant finds field by field; another tenant finds nothing."""
    wanted = list(expected)
    query = f"app_id:{wanted[0]['app_id']}"
    found = platform.once_found(query, len(wanted))
    assert all(re.fullmatch("[0-9a-f]{24}", log.pop("id")) for log in found)
    assert all(re.fullmatch("[0-9a-f]{16}", log.pop("pattern_id")) for log in found)
    assert found == wanted
    assert platform.found(query, "other") == []


@pytest.fixture(autouse=True)
def trust_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the CAs of the machine: with them ``requests`` does not heed those that it is told."""
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def key(secure: Shipping) -> str:
    return secure.keys["acme ingest"]


@pytest.fixture
def url(secure: Shipping) -> str:
    return f"https://localhost:{secure.port('ZERO_INGEST_HTTP')}"


CURL = {
    "HTTP/1.1, bearer": ("--http1.1", "-HAuthorization: Bearer {key}"),
    "HTTP/2, X-API-Key": ("--http2", "-HX-API-Key: {key}"),
    "HTTP/2 at once, basic password": ("--http2-prior-knowledge", "-uanybody:{key}"),
}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed (Debian: apt-get install curl)")
@pytest.mark.parametrize("arguments", CURL.values(), ids=CURL)
def test_what_curl_ships_comes_back(secure: Shipping, url: str, key: str, arguments: tuple[str, str]) -> None:
    app_id, now_ns = f"curl{list(CURL.values()).index(arguments)}", time.time_ns()
    how = [word.format(key=key) for word in arguments]
    command = ["curl", "-q", "-sS", "-w", "\n%{http_version}", "--cacert", secure.ca, *how]
    command += ["--json", written(app_id, now_ns), f"{url}/api/logs"]
    receipt, version = subprocess.run(command, check=True, capture_output=True, timeout=READY_SECONDS_MAX).stdout.splitlines()
    assert json.loads(receipt)["accepted"] == 1
    assert version == (b"1.1" if "1.1" in arguments[0] else b"2")
    check(secure, [{**LOG, "app_id": app_id, "timestamp": instant(now_ns)}])


def test_what_httpx_ships_over_http_2_comes_back(secure: Shipping, url: str, key: str) -> None:
    now_ns = time.time_ns()
    lines = [written("httpx", now_ns + number) for number in range(3)]
    headers = {"Authorization": key, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    with httpx.Client(
        http1=False, http2=True, verify=ssl.create_default_context(cafile=secure.ca), timeout=READY_SECONDS_MAX
    ) as client:
        answer = client.post(f"{url}/api/logs", content=gzip.compress("\n".join(lines).encode()), headers=headers)
    assert (answer.status_code, answer.http_version, answer.json()["accepted"]) == (202, "HTTP/2", 3)
    check(secure, [{**LOG, "app_id": "httpx", "timestamp": instant(now_ns + number)} for number in range(3)])


@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not installed (Debian: apt-get install nghttp2-client)")
def test_what_h2load_ships_comes_back(secure: Shipping, url: str, key: str, tmp_path: Path) -> None:
    now_ns = time.time_ns()
    (tmp_path / "entry").write_text(written("h2load", now_ns))
    command = [
        "h2load",
        "-n",
        "500",
        "-c",
        "4",
        "-m",
        "10",
        "--header-table-size=256",
        "-d",
        tmp_path / "entry",
        "-H",
        f"x-api-key: {key}",
    ]
    said = subprocess.run(
        [*command, f"{url}/api/logs"], check=True, capture_output=True, text=True, timeout=READY_SECONDS_MAX
    ).stdout
    assert "500 succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert "500 2xx" in said
    check(secure, [{**LOG, "app_id": "h2load", "timestamp": instant(now_ns)}] * 500)


@pytest.mark.parametrize("protocol", ["json", "protobuf"])
def test_what_zero_send_ships_comes_back(secure: Shipping, key: str, tmp_path: Path, protocol: str) -> None:
    app_id, now_ns = f"send-{protocol}", time.time_ns()
    file = tmp_path / "app.ndjson.gz"
    file.write_bytes(gzip.compress(written(app_id, now_ns).encode()))
    given = secure.environment | {"ZERO_API_KEY": key}
    command = [*ZERO, "send", str(file), "--gzip", *(["--protobuf"] if protocol == "protobuf" else [])]
    sent = subprocess.run(command, env=given, cwd=secure.folder, capture_output=True, text=True, timeout=READY_SECONDS_MAX)
    assert sent.returncode == 0, sent.stderr
    check(secure, [{**LOG, "app_id": app_id, "timestamp": instant(now_ns)}])


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_what_the_opentelemetry_sdk_ships_comes_back(
    secure: Shipping, key: str, monkeypatch: pytest.MonkeyPatch, protocol: str, compression: str
) -> None:
    app_id, now_ns = f"otel-{protocol}-{compression}", time.time_ns()
    port = secure.port(f"ZERO_INGEST_{protocol.upper()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(int(READY_SECONDS_MAX)))  # a second try would ship twice
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"https://localhost:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(secure.ca))
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{key}" if protocol == "http" else f"x-api-key={key}"
    )
    if compression == "gzip":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    resource = Resource({"service.name": app_id, "host.name": "node-7", "deployment.environment.name": "staging", "sku": "no"})
    logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
    logs.add_log_record_processor(BatchLogRecordProcessor(HttpExporter() if protocol == "http" else GrpcExporter()))
    attributes = {**document("", 0)["metadata"], "user.id": "u7"}
    logger = logs.get_logger("shop.cart", "1.2.3")
    record = LogRecord(
        timestamp=now_ns,
        context=CONTEXT,
        severity_number=SeverityNumber.WARN,
        severity_text="WARN",
        body=LOG["message"],
        attributes=attributes,
        event_name="stock.low",
    )
    logger.emit(record)
    logs.shutdown()
    added = {"scope.name": "shop.cart", "scope.version": "1.2.3", "event_name": "stock.low", "flags": 1}
    metadata = {**LOG["metadata"], "user.id": "u7", **added}
    expected = {**LOG, "app_id": app_id, "timestamp": instant(now_ns), "user_id": "", "metadata": metadata}
    check(secure, [expected])


@pytest.fixture(scope="session")
def messages(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The classes that a client makes of ``proto/zero/v1/service.proto``."""
    made = tmp_path_factory.mktemp("proto") / "service.binpb"
    arguments = ["protoc", f"-I{PROTO}", f"--descriptor_set_out={made}", "--include_imports", "zero/v1/service.proto"]
    assert protoc.main(arguments) == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"zero.v1.{name}"))


def batch(messages: Any, app_id: str, *times_ns: int) -> Any:
    """Return LOG as a ``LogBatch``, once for each time."""
    metadata = {"sku": {"text": "A-1"}, "left": {"int": 3}, "ratio": {"float": 0.5}, "hot": {"bool": True}}
    metadata |= {"who.name": {"text": "x"}, "tags": {"text": '["a","b"]'}}
    known = {name: LOG[name] for name in ("message", "source", "environment", "trace_id", "span_id", "user_id")}
    entry = messages("LogEntry")(app_id=app_id, level=4, **known)
    for name, value in metadata.items():
        entry.metadata.add(key=name, value=messages("Value")(**value))
    made = messages("LogBatch")()
    for time_ns in times_ns:
        made.entries.add().CopyFrom(entry)
        made.entries[-1].timestamp_ns = time_ns
    return made


@pytest.mark.parametrize("how", ["unary", "stream"])
def test_what_grpcio_ships_with_the_proto_comes_back(secure: Shipping, key: str, messages: Any, how: str) -> None:
    app_id, now_ns = f"grpc-{how}", time.time_ns()
    batches = [batch(messages, app_id, now_ns + 2 * number, now_ns + 2 * number + 1) for number in range(3)]
    trusted = grpc.ssl_channel_credentials(secure.ca.read_bytes())
    form = {
        "request_serializer": messages("LogBatch").SerializeToString,
        "response_deserializer": messages("IngestReceipt").FromString,
    }
    metadata = [("authorization", f"Bearer {key}")] if how == "unary" else [("x-api-key", key)]
    with grpc.secure_channel(f"localhost:{secure.port('ZERO_INGEST_GRPC')}", trusted) as channel:
        if how == "unary":
            ingest = channel.unary_unary("/zero.v1.LogService/IngestLogs", **form)
            accepted = sum(ingest(one, metadata=metadata, timeout=READY_SECONDS_MAX).accepted for one in batches)
        else:
            stream = channel.stream_unary("/zero.v1.LogService/IngestStream", **form)
            accepted = stream(iter(batches), metadata=metadata, timeout=READY_SECONDS_MAX).accepted
    assert accepted == 6
    check(secure, [{**LOG, "app_id": app_id, "timestamp": instant(now_ns + number)} for number in range(6)])


ELASTIC = {
    "ApiKey": lambda key: {"api_key": key},
    "ApiKey id:key": lambda key: {"api_key": (key.split("_")[1], key)},
    "basic password": lambda key: {"basic_auth": ("anybody", key)},
    "bearer": lambda key: {"bearer_auth": key},
}


@pytest.mark.parametrize("how", ELASTIC)
def test_what_elasticsearch_py_ships_comes_back(secure: Shipping, url: str, key: str, how: str) -> None:
    dataset, now_us = f"elastic{list(ELASTIC).index(how)}", time.time_ns() // 1_000
    action = {
        "_op_type": "create",
        "_index": f"logs-{dataset}-staging",
        "@timestamp": datetime.fromtimestamp(now_us // 10**6, UTC).replace(microsecond=now_us % 10**6),
        "message": LOG["message"],
        "log": {"level": "warning", "logger": "shop.cart"},
        "host": {"name": "node-7"},
        "trace.id": TRACE_ID,
        "span": {"id": SPAN_ID},
        "user": {"id": "u7"},
        **document("", 0)["metadata"],
    }
    with Elasticsearch(
        url, request_timeout=READY_SECONDS_MAX, ca_certs=str(secure.ca), http_compress=True, **ELASTIC[how](key)
    ) as client:
        assert client.info()["version"]["number"].startswith("8.")
        assert helpers.bulk(client, [action]) == (1, [])
    metadata = {**LOG["metadata"], "log.logger": "shop.cart"}
    check(secure, [{**LOG, "app_id": dataset, "timestamp": instant(now_us * 1_000), "metadata": metadata}])


def test_what_python_logging_loki_ships_comes_back(
    secure: Shipping, url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.ca))
    tags = {"app": "loki", "env": "staging", "host": "node-7"}
    handler = logging_loki.LokiHandler(f"{url}/loki/api/v1/push", tags=tags, auth=("anybody", key), version="1")
    failures: list[object] = []
    handler.handleError = failures.append
    logger = logging.getLogger("shop.cart")
    logger.addHandler(handler)
    began = instant(time.time_ns() - 1_000)  # the handler counts in floats
    found_in_line = {"trace_id": TRACE_ID, "span_id": SPAN_ID, "user_id": "u7", "sku": "A-1", "left": 3, "hot": True}
    try:
        logger.warning("stock is low: %s", "é", extra={"tags": found_in_line})
    finally:
        logger.removeHandler(handler)
        handler.close()
    assert failures == []
    (log,) = secure.once_found("app_id:loki", 1)
    assert began <= log["timestamp"] <= instant(time.time_ns())
    metadata = {"logger": "shop.cart", "sku": "A-1", "left": 3, "hot": True}
    check(secure, [{**LOG, "app_id": "loki", "timestamp": log["timestamp"], "metadata": metadata}])


@pytest.fixture
def strangers(secure: Shipping, url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=secure.ca), timeout=READY_SECONDS_MAX) as client:
        yield client


def test_two_tenants_with_one_application_find_their_own_alone(secure: Shipping, strangers: httpx.Client) -> None:
    now_ns = time.time_ns()
    for tenant in ("acme", "other"):
        body = {**document("shared", now_ns), "message": f"of {tenant}", "tenant": "acme"}
        headers = {"X-API-Key": secure.keys[f"{tenant} ingest"], "X-Scope-OrgID": "acme"}
        assert strangers.post("/api/logs", json=body, headers=headers).status_code == 202
    for tenant in ("acme", "other"):
        assert [log["message"] for log in secure.once_found("app_id:shared", 1, tenant)] == [f"of {tenant}"]


@pytest.mark.parametrize("path", ["/api/logs", "/v1/logs", "/_bulk", "/loki/api/v1/push"])
def test_a_stranger_and_a_key_that_may_not_send_get_in_by_no_door(secure: Shipping, strangers: httpx.Client, path: str) -> None:
    refused = [{}, {"X-API-Key": "zero_" + "0" * 16 + "_" + "0" * 64}, {"X-API-Key": secure.keys["acme query"]}]
    answers = [strangers.post(path, json={"message": "m"}, headers=headers).status_code for headers in refused]
    assert answers == [401, 401, 403]
