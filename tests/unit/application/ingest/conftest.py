"""An ingest over a buffer whose appends can be held and fail."""

import asyncio

import pytest

from zero.application.identity import Identity, anyone
from zero.application.ingest import Ingest, IngestOptions, future_waiter
from zero.application.ports import Decoded, Settlement
from zero.application.receipt import Receipt
from zero.application.submission import Submission
from zero.domain.errors import (
    InvalidInput,
)
from zero.domain.frame import unpack_frame
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryCodec, MemoryTelemetry


def decode(body: bytes, now_ns: int, source: str) -> Decoded:
    """Each byte is an entry; ``x`` is rejected, ``!`` spoils the body."""
    if b"!" in body:
        raise InvalidInput("unreadable")
    bad = body.count(b"x")
    return Decoded(body.replace(b"x", b""), len(body) - bad, bad, [(body.index(b"x"), "is x")] if bad else [])


class GatedBuffer(MemoryBuffer):
    """A buffer whose appends wait until the gate is open, and fail with ``error`` if there is one."""

    def __init__(self, shards: int = 1) -> None:
        super().__init__(ManualClock(), shards)
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.calls: list[list[bytes]] = []
        self.mode = "durable"

    async def append(self, appends):
        self.calls.append([append.frame for append in appends])
        await self.gate.wait()
        if self.error:
            raise self.error
        return await super().append(appends)

    async def durability(self):
        if self.error:
            raise self.error
        return type(await super().durability())(self.mode, "as the test says")


class Rig:
    """An ingest over a gated buffer."""

    def __init__(self, options: IngestOptions | None = None, shards: int = 1) -> None:
        self.buffer = GatedBuffer(shards)
        self.clock = ManualClock()
        self.telemetry = MemoryTelemetry()
        self.ingest = Ingest(MemoryCodec(), self.buffer, self.clock, self.telemetry, options)

    def send(self, body: bytes, **more) -> "asyncio.Future[Receipt]":
        waiter, future = future_waiter()
        identity = Identity(more.pop("tenant"), "key", frozenset()) if "tenant" in more else more.pop("identity", anyone())
        self.ingest.accept(Submission(body, more.pop("decode", decode), "peer", waiter, identity, **more))
        return future

    def frames(self):
        return [unpack_frame(data, MemoryCodec().crc32c) for call in self.buffer.calls for data in call]


async def drain(buffer: MemoryBuffer) -> None:
    """Settle what is there, as a drain does."""
    lease = await buffer.acquire(0, "test")
    deliveries = await buffer.read(lease, 100, 0)
    await buffer.settle(lease, Settlement([delivery.position for delivery in deliveries]))


@pytest.fixture
async def rig():
    rig = Rig()
    yield rig
    await rig.ingest.close()
