"""A real server on a free port over memory adapters, and a codec that reads just enough JSON."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvloop

from zero.application.ingest import Ingest, IngestOptions
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.application.ports import BulkDecoded, Decoded
from zero.application.readiness import Readiness
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decompress import BoundedDecompressor
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryCodec, MemoryKeyStore, MemoryTelemetry
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.routes import Route
from zero.interfaces.ingest_http.server import IngestServices, bind, ingest_routes, serve


class LineCodec(MemoryCodec):
    """Each line is an entry; one with ``"bad"`` in it is rejected. The payload is the lines."""

    def decode_json(self, body: bytes, now_ns: int, source: str) -> Decoded:
        lines = bytes(body).splitlines()
        errors = [(at, "message is missing") for at, line in enumerate(lines) if b'"bad"' in line]
        try:
            for line in lines:
                json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"not JSON: {error}", position=0) from None
        return Decoded(bytes(body), len(lines) - len(errors), len(errors), errors[:100])

    decode_log_batch = decode_otlp = decode_otlp_json = decode_loki = decode_loki_json = decode_json

    def decode_bulk(self, body: bytes, now_ns: int, source: str, index: str) -> BulkDecoded:
        return BulkDecoded(self.decode_json(body, now_ns, source), b"")

    def bulk_items(self, outcomes: bytes, batch_id: int, first_index: int) -> bytes:
        return b"[]"


@dataclass
class Response:
    """One HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["error"]["message"]


@dataclass
class Peer:
    """A raw connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def response(self, *, head: bool = False) -> Response:
        async with asyncio.timeout(60):
            raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status = int(raw.split(" ", 2)[1])
            headers = {name.lower(): value for name, value in re.findall(r"^([^\s:]+): (.*?)\r$", raw, re.MULTILINE)}
            length = 0 if head else int(headers.get("content-length", "0"))
            return Response(status, headers, await self.reader.readexactly(length))

    async def ended(self) -> bool:
        """Whether the server has closed, with nothing more to read."""
        async with asyncio.timeout(60):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True

    async def exchange(self, data: bytes) -> Response:
        await self.send(data)
        return await self.response()


@dataclass
class Server:
    """A running server and what it is made of."""

    port: int
    buffer: MemoryBuffer
    telemetry: MemoryTelemetry
    stop: asyncio.Event
    task: "asyncio.Task[None]"
    keys: KeyRing
    routes: Mapping[str, Route]
    peers: list[Peer] = field(default_factory=list)

    async def connect(self) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port))
        self.peers.append(peer)
        return peer

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, path: str = "/api/logs", method: str = "POST"
    ) -> Response:
        fields = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        peer = await self.connect()
        await peer.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return await peer.response(head=method == "HEAD")

    async def accepted(self) -> int:
        ledger = await self.buffer.ledger()
        return ledger["default"].accepted if ledger else 0


Serve = Callable[..., Awaitable[Server]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """The loop of production, and the one that others may bring."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def serving() -> AsyncIterator[Serve]:
    """Starts servers: ``await serving(options=…, buffer=…, codec=…, ingest=…, keys=…, tls=…)``."""
    servers: list[Server] = []

    async def start(
        options: IngestHttpOptions | None = None,
        buffer: MemoryBuffer | None = None,
        codec: MemoryCodec | None = None,
        ingest: IngestOptions | None = None,
        keys: tuple[MemoryKeyStore, KeyRingOptions] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Server:
        buffer = buffer or MemoryBuffer(ManualClock())
        codec, telemetry, stop = codec or LineCodec(), MemoryTelemetry(), asyncio.Event()
        service = Ingest(codec, buffer, ManualClock(), telemetry, ingest)
        store, key_options = keys or (MemoryKeyStore(), KeyRingOptions())
        ring = KeyRing(store, ManualClock(), telemetry, key_options)
        await ring.refresh()
        readiness, decompressor = Readiness(buffer), BoundedDecompressor()
        services = IngestServices(service, codec, decompressor, readiness, lambda: b"zero_up 1\n", telemetry, ring)
        sock = bind("127.0.0.1", 0)
        options = replace(options or IngestHttpOptions(), stop_timeout_seconds=1.6)
        routes = ingest_routes(services, options).table

        async def run() -> None:
            async with service.running(0.4):
                await serve(services, options, [sock], stop, tls)

        task = asyncio.create_task(run())
        servers.append(Server(sock.getsockname()[1], buffer, telemetry, stop, task, ring, routes))
        return servers[-1]

    yield start
    for server in servers:
        for peer in server.peers:
            peer.writer.close()
        server.stop.set()
        await server.task


@pytest.fixture
async def server(serving: Serve) -> Server:
    """A server with the default limits."""
    return await serving()
