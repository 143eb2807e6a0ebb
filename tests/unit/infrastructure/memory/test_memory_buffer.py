"""The memory buffer keeps the contract of the durable buffer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.buffer_contract import BufferContract, LeaseOver, Lose, frame, taken
from zero.application.ports import Append, Position
from zero.domain.errors import Overloaded
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryBufferOptions


class _YieldingClock(ManualClock):
    """Lets other tasks run while it sleeps."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)
        await super().sleep(seconds)


class TestMemoryBuffer(BufferContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return _YieldingClock()

    @pytest.fixture
    async def buffer(self, clock: ManualClock) -> AsyncIterator[MemoryBuffer]:
        buffer = MemoryBuffer(clock, shards=2, options=MemoryBufferOptions(limit_bytes=1_000_000))
        yield buffer
        await buffer.close()

    @pytest.fixture
    def lease_over(self, clock: ManualClock) -> LeaseOver:
        async def wait() -> None:
            clock.advance(11.0)

        return wait

    @pytest.fixture
    def lose(self, buffer: MemoryBuffer) -> Lose:
        async def lost() -> None:
            buffer.delete(Position(0, "1-0"))

        return lost

    async def test_appends_that_do_not_fit_are_refused_together(self, buffer: MemoryBuffer) -> None:
        with pytest.raises(Overloaded):
            await buffer.append([Append(0, b"x" * 600_000, "default", 1)] * 2)
        assert (await buffer.level()).frames == 0

    async def test_an_entry_deleted_while_pending_is_delivered_without_data(self, buffer: MemoryBuffer) -> None:
        await buffer.append([frame(1)])
        lease = await taken(buffer)
        (read,) = await buffer.read(lease, 1, 0.0)
        buffer.delete(read.position)
        (again,) = await buffer.pending(lease, "0", 10)
        assert (again.position, again.data) == (read.position, None)
