"""Traces of our own work, exported by the real SDK to a receiver of OTLP: ingest, drain and api with buffer and store."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from tests.integration.clickhouse_server import ClickHouseServer
from tests.integration.servers import Server, embedded_valkey
from tests.lifeline import tied
from tests.patience import READY_SECONDS_MAX, soon
from tests.ports import free_port
from zero.application.trace_events import SpansLost
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.telemetry.tracing import OtelTracer, TracingOptions

ENTRY = {"message": "payment refused", "app_id": "shop"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{CALLER}-{flags}" for flags in ("01", "00"))


class Receiver:
    """Takes traces over OTLP/HTTP, and keeps the spans with the name of their service."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, WireSpan]] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in request.resource_spans:
                    of = {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"]
                    spans.extend((of, span) for scope in resource.scope_spans for span in scope.spans)
                assert self.path == "/v1/traces"
                body = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, trace: str) -> dict[str, WireSpan]:
        return {f"{service} {span.name}": span for service, span in list(self.spans) if span.trace_id.hex() == trace}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Tap:
    """Passes bytes on to a server, and keeps those that were sent there."""

    def __init__(self, port: int) -> None:
        self.sent = bytearray()
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                for one, other, kept in ((client, server, self.sent), (server, client, bytearray())):
                    threading.Thread(target=self._pass, args=(one, other, kept), daemon=True).start()

    @staticmethod
    def _pass(one: socket.socket, other: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                kept += data
                other.sendall(data)
        for sock in (one, other):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        one.close()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class Roles:
    """Ingest, drain and api as processes of their own, told where to send their traces."""

    def __init__(self, folder: Path, valkey: Server, store_url: str, traces_url: str) -> None:
        self.ingest, self.api = free_port(), free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZERO_", "OTEL_"))}
        self.environment = kept | {
            "ZERO_BUFFER_URL": valkey.url,
            "ZERO_BUFFER_TIMEOUT_MS": "2000",
            "ZERO_CLICKHOUSE_URL": store_url,
            "ZERO_INGEST_HTTP": f"127.0.0.1:{self.ingest}",
            "ZERO_INGEST_GRPC": "",
            "ZERO_API": f"127.0.0.1:{self.api}",
            "ZERO_TRACES_URL": traces_url,
            "ZERO_TRACES_PER_THOUSAND": "0",
        }
        self.folder = folder
        assert subprocess.run([*self.zero("migrate")], env=self.environment, cwd=folder, timeout=120).returncode == 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.tap: Tap

    @staticmethod
    def zero(*words: str) -> list[str]:
        return tied(sys.executable, "-P", "-m", "zero", *words)

    def start(self, role: str, **more: str) -> None:
        with (self.folder / f"{role}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(self.zero(role), env=self.environment | more, cwd=self.folder, stdout=log, stderr=log)
            )

    def ask(self, port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def ready(self, port: int) -> bool:
        try:
            return self.ask(port, "GET", "/ready")[0] == 200
        except OSError:
            return False

    def stop(self) -> list[int]:
        for process in self.processes:
            process.terminate()
        return [process.wait(READY_SECONDS_MAX) for process in self.processes]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Roles]:
    folder = tmp_path_factory.mktemp("traces")
    valkey, store = embedded_valkey(folder).start(), ClickHouseServer(folder / "clickhouse").start()
    port = store.url.rpartition(":")[2]
    tap = Tap(int(port))
    try:
        roles = Roles(folder, valkey, store.options("zero").url.replace(f":{port}/", f":{tap.port}/"), receiver.url)
        roles.tap = tap
        roles.start("ingest")
        roles.start("drain", ZERO_TRACES_PER_THOUSAND="1000")
        roles.start("api")
        soon(lambda: roles.ready(roles.ingest) and roles.ready(roles.api), "the roles do not get ready")
        yield roles
        assert roles.stop() == [0, 0, 0]
    finally:
        roles.stop()
        tap.close()
        store.close()
        valkey.close()


def facts(span: WireSpan) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_request_is_traced_from_its_caller_through_the_append(roles, receiver):
    assert roles.ask(roles.ingest, "POST", "/api/logs", ENTRY, traceparent=SAMPLED)[0] == 202
    soon(lambda: {"zero-ingest ingest", "zero-ingest append"} <= receiver.of(TRACE).keys(), "no spans of ingest")
    request, append = (receiver.of(TRACE)[f"zero-ingest {name}"] for name in ("ingest", "append"))
    assert (request.parent_span_id.hex(), request.kind) == (CALLER, WireSpan.SPAN_KIND_SERVER)
    assert append.parent_span_id == request.span_id
    assert facts(request) == {"zero.body_bytes": len(json.dumps(ENTRY)), "zero.accepted": 1, "zero.rejected": 0}
    assert facts(append) == {"zero.frames": 1, "zero.entries": 1}
    assert request.start_time_unix_nano <= append.start_time_unix_nano <= append.end_time_unix_nano


def test_a_block_is_traced_with_its_steps(roles, receiver):
    def steps() -> dict[str, WireSpan]:
        blocks = [span for of, span in list(receiver.spans) if (of, span.name) == ("zero-drain", "drain block")]
        return receiver.of(blocks[0].trace_id.hex()) if blocks else {}

    wanted = {f"zero-drain {name}" for name in ("drain block", "claim", "encode", "insert", "settle")}
    soon(lambda: wanted <= steps().keys(), "no spans of the drain")
    insert = steps()["zero-drain insert"]
    assert f"traceparent: 00-{insert.trace_id.hex()}-{insert.span_id.hex()}-0".encode() in roles.tap.sent
    block, *others = (steps()[name] for name in sorted(wanted, key=lambda name: name != "zero-drain drain block"))
    assert block.parent_span_id == b""
    assert all(span.parent_span_id == block.span_id for span in others)
    assert facts(block)["zero.frames"] == 1
    order = [steps()[f"zero-drain {name}"].start_time_unix_nano for name in ("claim", "encode", "insert", "settle")]
    assert order == sorted(order)


def test_a_search_is_traced_down_to_what_it_asks_of_the_store(roles, receiver):
    trace = TRACE.replace("4", "5")
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    assert roles.ask(roles.api, "GET", "/api/logs?q=payment", **headers)[0] == 200
    soon(lambda: {"zero-api api", "zero-api store query"} <= receiver.of(trace).keys(), "no spans of the api")
    request, query = (receiver.of(trace)[f"zero-api {name}"] for name in ("api", "store query"))
    assert (request.parent_span_id.hex(), query.parent_span_id) == (CALLER, request.span_id)
    assert f"traceparent: 00-{trace}-{query.span_id.hex()}-0".encode() in roles.tap.sent, "the store is told"
    assert facts(request) == {"http.request.method": "GET", "http.route": "/api/logs", "http.response.status_code": 200}


def test_an_error_is_in_its_span(roles, receiver):
    trace = TRACE.replace("4", "6")
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    assert roles.ask(roles.ingest, "POST", "/api/logs", ["no", "entries"], **headers)[0] == 400
    assert roles.ask(roles.api, "GET", "/api/logs?q=(", **headers)[0] == 400
    soon(lambda: {"zero-api api", "zero-ingest ingest"} <= receiver.of(trace).keys(), "no spans")
    assert facts(receiver.of(trace)["zero-api api"])["http.response.status_code"] == 400


def test_what_the_caller_does_not_want_traced_is_not(roles, receiver):
    asked = UNSAMPLED.replace("4", "7")
    for headers in ({"traceparent": asked}, {}, {"traceparent": "nonsense"}):
        assert roles.ask(roles.ingest, "POST", "/api/logs", ENTRY, **headers)[0] == 202
    last = TRACE.replace("4", "8")
    roles.ask(roles.ingest, "POST", "/api/logs", ENTRY, traceparent=f"00-{last}-{CALLER}-01")
    soon(lambda: receiver.of(last), "no spans of the last")
    requests = [span for of, span in receiver.spans if (of, span.name) == ("zero-ingest", "ingest")]
    assert all(span.parent_span_id.hex() == CALLER for span in requests)
    assert not receiver.of(TRACE.replace("4", "7"))


async def test_a_collector_that_hangs_holds_nobody_up_and_its_losses_are_counted():
    telemetry = MemoryTelemetry()
    options = TracingOptions(
        f"http://127.0.0.1:{free_port()}", "test", 1000, 1_000_000, queue_spans_max=64, batch_spans_max=32, delay_seconds=0.05
    )
    options = replace(options, export_timeout_seconds=0.2)
    tracer = OtelTracer(options, telemetry)
    began = time.monotonic()
    for _ in range(5_000):
        span = tracer.begin("work")
        assert span is not None
        span.end()
    assert time.monotonic() - began < READY_SECONDS_MAX / 6, "a full queue is no reason to wait"
    await asyncio.to_thread(soon, lambda: telemetry.of(SpansLost), "nobody is told of the loss")
    await tracer.close()
    assert time.monotonic() - began < READY_SECONDS_MAX


def test_callers_cannot_ask_for_more_traces_than_the_bound(receiver):
    tracer = OtelTracer(TracingOptions(receiver.url, "test", 0, traces_per_second_max=3), MemoryTelemetry())
    began = time.monotonic()
    spans = [tracer.begin("work", SAMPLED, serves=True) for _ in range(1_000)]
    seconds = int(time.monotonic() - began) + 2
    assert 3 <= sum(span is not None for span in spans) <= 3 * seconds
    assert tracer.begin("work", UNSAMPLED) is None
    assert tracer.begin("work") is None
