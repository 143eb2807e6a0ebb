"""Several shards in one process, on asyncio."""

import asyncio
import random
from contextlib import suppress

import pytest

from zero.application.drain import (
    DrainOptions,
    DrainParts,
    DrainService,
    DrainServiceOptions,
    DrainState,
    ShardDrain,
    ShardShare,
)
from zero.application.ports import Append, Block, Lease
from zero.domain.frame import pack_frame
from zero.domain.log_batch import join_entries
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryCodec, MemoryStore, MemoryTelemetry


class _LoopClock(ManualClock):
    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def parts(store: MemoryStore, shards: int) -> DrainParts:
    log = MemoryBuffer(_LoopClock(), shards)
    return DrainParts(log, store, MemoryCodec(), _LoopClock(), random.Random(1), MemoryTelemetry())


def service_of(
    some: DrainParts,
    shards: int,
    share: ShardShare | None = None,
    drain: DrainOptions | None = None,
    service: DrainServiceOptions | None = None,
) -> DrainService:
    def make(shard: int) -> ShardDrain:
        return ShardDrain(shard, f"drain-{shard}", some, drain)

    return DrainService(make, some.log, share or ShardShare(), shards, service)


def append(bid: int, shard: int) -> Append:
    return Append(shard, pack_frame(bid, 0, 2, "t", [join_entries([b"a", b"b"])], MemoryCodec().crc32c), "t", 2)


async def test_every_shard_is_drained_and_a_stop_empties_the_buffer() -> None:
    store = MemoryStore()
    some = parts(store, 3)
    options = DrainOptions(linger_seconds=0.01, idle_seconds=0.02)
    service = service_of(some, 3, drain=options, service=DrainServiceOptions(0.01, 5.0))
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    await some.log.append([append(bid, bid % 3) for bid in range(9)])
    async with asyncio.timeout(60):
        while len(store.rows) < 9 or not service.ready:  # noqa: ASYNC110 - a store has no event to wait for
            await asyncio.sleep(0.01)
        await some.log.append([append(bid, bid % 3) for bid in range(9, 12)])
        stop.set()
        await running
    assert sorted(store.rows) == list(range(12))
    assert set(service.states().values()) == {(DrainState.STOPPED, "")}


async def test_a_drain_that_breaks_ends_the_service() -> None:
    class Broken(MemoryStore):
        async def insert(self, block: Block, lease: Lease) -> None:
            raise MemoryError("a defect")

    some = parts(Broken(), 2)
    await some.log.append([append(1, 0)])
    service = service_of(some, 2)
    with pytest.raises(ExceptionGroup):
        async with asyncio.timeout(60):
            await service.run(asyncio.Event())


async def test_a_stop_is_heard_although_the_look_for_shards_loses_the_cancellation() -> None:
    class Forgetful(MemoryBuffer):
        looking = asyncio.Event()

        async def shards(self) -> int:
            if not self.looking.is_set():
                self.looking.set()
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(600)
            return 3

    log = Forgetful(_LoopClock(), 3)
    some = DrainParts(log, MemoryStore(), MemoryCodec(), _LoopClock(), random.Random(1), MemoryTelemetry())
    service = service_of(some, 1, drain=DrainOptions(idle_seconds=0.02))
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    async with asyncio.timeout(60):
        await log.looking.wait()
        stop.set()
        await running
    assert service.states() == {0: (DrainState.STOPPED, "")}


async def test_the_shards_left_of_a_higher_setting_are_shared_out_among_the_drains_that_are_set() -> None:
    store = MemoryStore()
    some = parts(store, 5)
    await some.log.append([append(bid, bid % 5) for bid in range(10)])
    drain = DrainOptions(linger_seconds=0.01, idle_seconds=0.02)
    two = [service_of(some, 2, ShardShare(first, 2), drain, DrainServiceOptions(0.01, 5.0, 0.01)) for first in (0, 1)]
    stop = asyncio.Event()
    running = [asyncio.create_task(service.run(stop)) for service in two]
    async with asyncio.timeout(60):
        while len(store.rows) < 10:  # noqa: ASYNC110 - a store has no event to wait for
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*running)
    assert sorted(store.rows) == list(range(10))
    assert [sorted(service.states()) for service in two] == [[0, 2, 4], [1, 3]]
