"""A real syslog door on free ports over a buffer in memory."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvloop

from zero.application.identity import DEFAULT_TENANT
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing, KeyRingOptions
from zero.domain.entry import LogEntry
from zero.domain.frame import unpack_frame
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.ingest_syslog.delivery import Badge, SyslogServices
from zero.interfaces.ingest_syslog.events import SyslogLost
from zero.interfaces.ingest_syslog.options import SyslogOptions
from zero.interfaces.ingest_syslog.server import Listener, bind, serve

QUICK = {"retry_seconds_max": 0.05, "sweep_seconds": 0.05, "linger_seconds": 0.2, "stop_timeout_seconds": 1.0}


class HeldBuffer(MemoryBuffer):
    """A buffer that waits at its gate, or fails with ``error``."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def append(self, appends):
        await self.gate.wait()
        if self.error:
            raise self.error
        return await super().append(appends)


@dataclass
class Server:
    """A running door and what it is made of."""

    tcp: int
    udp: int
    buffer: HeldBuffer
    telemetry: MemoryTelemetry
    keys: KeyRing
    stop: asyncio.Event
    task: "asyncio.Task[None]"
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.tcp)
        self.writers.append(writer)
        return reader, writer

    async def send(self, data: bytes, *, close: bool = True) -> None:
        _, writer = await self.connect()
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()
            await writer.wait_closed()

    def datagram(self, data: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(data, ("127.0.0.1", self.udp))

    def entries(self, tenant: str = DEFAULT_TENANT) -> list[LogEntry]:
        frames = [append for shard in self.buffer._shards for append in shard.stream.values() if append.tenant == tenant]
        payloads = [unpack_frame(append.frame, NativeCodec().crc32c).payload for append in frames]
        return [entry for payload in payloads for entry in read_log_batch(payload)]

    def messages(self, tenant: str = DEFAULT_TENANT) -> list[str]:
        return [entry.message for entry in self.entries(tenant)]

    def lost(self) -> list[tuple[str, str, int]]:
        lost: Counter[tuple[str, str]] = Counter()
        for event in self.telemetry.of(SyslogLost):
            lost[event.transport, event.reason] += event.messages
        return [(*key, count) for key, count in sorted(lost.items())]

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - the door has nothing to wait for
                await asyncio.sleep(0.01)


Serve = Callable[..., Awaitable[Server]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """The loop of production, and the one that others may bring."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def serving() -> AsyncIterator[Serve]:
    """Starts servers: ``await serving(keys=…, key=…, **options)``."""
    servers: list[Server] = []

    async def start(keys: MemoryKeyStore | None = None, key: str = "", **options: Any) -> Server:
        chosen = replace(SyslogOptions(), **(QUICK | options))
        telemetry, stop, buffer = MemoryTelemetry(), asyncio.Event(), HeldBuffer()
        ingest = Ingest(NativeCodec(), buffer, SystemClock(), telemetry)
        ring = KeyRing(keys or MemoryKeyStore(), ManualClock(), telemetry, KeyRingOptions())
        await ring.refresh()
        sockets = {transport: bind(transport, "127.0.0.1", 0, chosen) for transport in ("tcp", "udp")}
        services = SyslogServices(ingest, NativeCodec(), telemetry, Badge(ring, key, telemetry))
        listeners = [Listener(transport, sock) for transport, sock in sockets.items()]

        async def run() -> None:
            async with ingest.running(1.0):
                await serve(services, chosen, listeners, stop)

        ports = [sockets[transport].getsockname()[1] for transport in ("tcp", "udp")]
        servers.append(Server(*ports, buffer, telemetry, ring, stop, asyncio.create_task(run())))
        await asyncio.sleep(0.01)
        return servers[-1]

    yield start
    for server in servers:
        server.buffer.gate.set()
        for writer in server.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        server.stop.set()
        await server.task


@pytest.fixture
async def server(serving: Serve) -> Server:
    """A server with the default limits."""
    return await serving()
