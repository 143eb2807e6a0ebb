"""A real gRPC server on a free port over memory adapters and the native codec, and real clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest

from zero.application.ingest import Ingest, IngestOptions
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.application.readiness import Readiness
from zero.application.search import Search
from zero.domain.entry import Level, LogEntry
from zero.domain.frame import unpack_frame
from zero.infrastructure.codec.decompress import BoundedDecompressor
from zero.infrastructure.codec.log_batch import read_log_batch, write_log_batch
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.memory.reader import MemoryReader
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.ingest_grpc.messages import encoded, message, parsed
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_grpc.server import GrpcDoor, GrpcServices

LOG_SERVICE = "zero.v1.LogService"


def batch(*messages: str, **fields: Any) -> bytes:
    """Return the batch of entries with these messages."""
    fields = {"timestamp_ns": SystemClock().now_ns(), "level": Level.WARN, "app_id": "grpc", **fields}
    return write_log_batch(LogEntry(message, **fields) for message in messages)


@dataclass
class Server:
    """A running door and what it is made of."""

    port: int
    buffer: MemoryBuffer
    telemetry: MemoryTelemetry
    reader: MemoryReader
    keys: KeyRing
    stop: asyncio.Event
    task: "asyncio.Task[None]"
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def channel(self, *options: tuple[str, Any], **more: Any) -> grpc.aio.Channel:
        self.channels.append(grpc.aio.insecure_channel(self.address, options=options, **more))
        return self.channels[-1]

    async def ingest(self, body: bytes, *metadata: tuple[str, str], **more: Any) -> Any:
        call = self.channel().unary_unary(f"/{LOG_SERVICE}/IngestLogs")
        return parsed("zero.v1.IngestReceipt", await call(body, metadata=metadata, timeout=60, **more))

    async def stream(self, bodies: Any, *metadata: tuple[str, str]) -> Any:
        call = self.channel().stream_unary(f"/{LOG_SERVICE}/IngestStream")
        return parsed("zero.v1.IngestReceipt", await call(bodies, metadata=metadata, timeout=60))

    async def ask(self, rpc: str, *metadata: tuple[str, str], **fields: Any) -> Any:
        call = self.channel().unary_unary(f"/{LOG_SERVICE}/{rpc}")
        answer = await call(encoded(f"zero.v1.{rpc}Request", **fields), metadata=metadata, timeout=60)
        return parsed(f"zero.v1.{rpc}Response", answer)

    async def search(self, *metadata: tuple[str, str], **fields: Any) -> list[Any]:
        call = self.channel().unary_stream(f"/{LOG_SERVICE}/Search")
        answers = call(encoded("zero.v1.SearchRequest", **fields), metadata=metadata, timeout=60)
        return [parsed("zero.v1.StoredLog", answer) async for answer in answers]

    def entries(self, tenant: str = "default") -> list[LogEntry]:
        """Return what lies in the buffer, oldest first."""
        frames = [append for shard in self.buffer._shards for append in shard.stream.values() if append.tenant == tenant]
        return [
            entry for append in frames for entry in read_log_batch(unpack_frame(append.frame, NativeCodec().crc32c).payload)
        ]


def failed(error: "pytest.ExceptionInfo[grpc.aio.AioRpcError]") -> tuple[grpc.StatusCode, str]:
    """Return code and text of a failed RPC."""
    return error.value.code(), error.value.details() or ""


def details(error: "pytest.ExceptionInfo[grpc.aio.AioRpcError]") -> dict[str, Any]:
    """Return the details of the rich status, by the name of their type."""
    trailing = dict(error.value.trailing_metadata() or ())
    if "grpc-status-details-bin" not in trailing:
        return {}
    status = message("google.rpc.Status")
    status.ParseFromString(trailing["grpc-status-details-bin"])
    assert status.code == error.value.code().value[0]
    found = {}
    for packed in status.details:
        name = packed.type_url.rpartition("/")[2]
        found[name] = message(name)
        found[name].ParseFromString(packed.value)
    return found


Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serving() -> AsyncIterator[Serve]:
    """Starts servers: ``await serving(options=…, buffer=…, ingest=…, keys=…)``."""
    servers: list[Server] = []

    async def start(
        options: IngestGrpcOptions | None = None,
        buffer: MemoryBuffer | None = None,
        ingest: IngestOptions | None = None,
        keys: tuple[MemoryKeyStore, KeyRingOptions] | None = None,
    ) -> Server:
        clock, telemetry, stop = SystemClock(), MemoryTelemetry(), asyncio.Event()
        buffer, codec, reader = buffer or MemoryBuffer(ManualClock()), NativeCodec(), MemoryReader()
        service = Ingest(codec, buffer, clock, telemetry, ingest)
        store, key_options = keys or (MemoryKeyStore(), KeyRingOptions())
        ring = KeyRing(store, ManualClock(), telemetry, key_options)
        await ring.refresh()
        search = Search(LuceneParser(), reader, clock)
        services = GrpcServices(service, codec, BoundedDecompressor(), Readiness(buffer), telemetry, ring, lambda: search)
        door = GrpcDoor(services, replace(options or IngestGrpcOptions(), stop_timeout_seconds=1.0))
        port = door.bind("127.0.0.1:0")

        async def run() -> None:
            async with service.running(1.0):
                await door.serve(stop)

        servers.append(Server(port, buffer, telemetry, reader, ring, stop, asyncio.create_task(run())))
        await asyncio.sleep(0)
        return servers[-1]

    yield start
    for server in servers:
        for channel in server.channels:
            await channel.close()
        server.stop.set()
        await server.task


@pytest.fixture
async def server(serving: Serve) -> Server:
    """A server with the default limits."""
    return await serving()
