"""Batch ids are made under an epoch that no other process has, and that is not used for long."""

import asyncio

import pytest

from zero.application.process_ids import RENEW_SECONDS, USED_SECONDS_MAX, ProcessIds
from zero.domain.batch_id import batch_id_ms
from zero.domain.errors import BufferFull, BufferUnavailable, EpochLost, ZeroError
from zero.infrastructure.memory import ManualClock, MemoryBuffer

NOW_MS = 1_700_000_000_000


class Counter(MemoryBuffer):
    """Counts processes, or fails."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.error: ZeroError | None = None
        self.hangs: asyncio.Event | None = None
        self.asked = 0

    async def next_process_epoch(self) -> int:
        self.asked += 1
        if self.error:
            raise self.error
        if self.hangs:
            await self.hangs.wait()
        return await super().next_process_epoch()


async def test_an_epoch_is_used_for_ten_minutes_and_time_does_not_go_back_behind_them() -> None:
    clock = ManualClock()
    ids = ProcessIds(Counter(), clock, 0.1)
    first = await ids.current()
    before = (first.epoch, first.next(NOW_MS))
    clock.advance(RENEW_SECONDS - 1)
    assert (await ids.current()).epoch == before[0]
    clock.advance(2)
    later = await ids.current()
    assert later.epoch != before[0]
    assert batch_id_ms(later.next(NOW_MS - 5_000)) == NOW_MS


@pytest.mark.parametrize("error", [BufferUnavailable("away"), BufferFull("full")])
async def test_without_a_new_epoch_the_old_one_is_used_on_unless_it_is_lost(error: ZeroError) -> None:
    buffer, clock = Counter(), ManualClock()
    ids = ProcessIds(buffer, clock, 0.1)
    epoch = (await ids.current()).epoch
    buffer.error = error
    clock.advance(RENEW_SECONDS)
    assert (await ids.current()).epoch == epoch
    ids.lose()
    with pytest.raises(type(error)):
        await ids.current()
    buffer.error = None
    assert (await ids.current()).epoch != epoch


async def test_an_epoch_whose_claim_may_be_over_is_not_used_on() -> None:
    buffer, clock = Counter(), ManualClock()
    ids = ProcessIds(buffer, clock, 0.1)
    await ids.current()
    buffer.error = BufferUnavailable("away")
    clock.advance(USED_SECONDS_MAX)
    with pytest.raises(BufferUnavailable):
        await ids.current()


async def test_who_waits_for_a_first_epoch_is_refused_soon_and_the_epoch_is_taken_all_the_same() -> None:
    buffer = Counter()
    buffer.hangs = asyncio.Event()
    ids = ProcessIds(buffer, ManualClock(), 0.1)
    for _ in range(2):
        with pytest.raises(BufferUnavailable, match="no epoch yet"):
            await asyncio.wait_for(ids.current(), 60)
    buffer.hangs.set()
    await ids.current()
    assert buffer.asked == 1


async def test_a_start_takes_the_epoch_before_the_first_request(rig) -> None:
    asked = []
    rig.buffer.next_process_epoch = lambda: asked.append(True) or MemoryBuffer.next_process_epoch(rig.buffer)
    await rig.ingest.start()
    await rig.send(b"a")
    assert asked == [True]


async def test_what_was_refused_for_the_sake_of_its_ids_is_taken_under_new_ones(rig) -> None:
    first = (await rig.send(b"a")).batch_id
    rig.buffer.error = EpochLost("another buffer")
    with pytest.raises(EpochLost):
        await rig.send(b"b")
    rig.buffer.error = None
    assert (await rig.send(b"b")).batch_id >> 8 & 0xFF != first >> 8 & 0xFF
