"""Batch ids are made under an epoch that no other process has, and that is not used for long."""

import pytest

from zero.application.process_ids import RENEW_SECONDS, ProcessIds
from zero.domain.batch_id import batch_id_ms
from zero.domain.errors import BufferFull, BufferUnavailable, EpochLost, ZeroError
from zero.infrastructure.memory import ManualClock, MemoryBuffer

NOW_MS = 1_700_000_000_000


class Counter(MemoryBuffer):
    """Counts processes, or fails."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.error: ZeroError | None = None

    async def next_process_epoch(self) -> int:
        if self.error:
            raise self.error
        return await super().next_process_epoch()


async def test_an_epoch_is_used_for_ten_minutes_and_time_does_not_go_back_behind_them() -> None:
    clock = ManualClock()
    ids = ProcessIds(Counter(), clock)
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
    ids = ProcessIds(buffer, clock)
    epoch = (await ids.current()).epoch
    buffer.error = error
    clock.advance(RENEW_SECONDS)
    assert (await ids.current()).epoch == epoch
    ids.lose()
    with pytest.raises(type(error)):
        await ids.current()
    buffer.error = None
    assert (await ids.current()).epoch != epoch


async def test_what_was_refused_for_the_sake_of_its_ids_is_taken_under_new_ones(rig) -> None:
    first = (await rig.send(b"a")).batch_id
    rig.buffer.error = EpochLost("another buffer")
    with pytest.raises(EpochLost):
        await rig.send(b"b")
    rig.buffer.error = None
    assert (await rig.send(b"b")).batch_id >> 8 & 0xFF != first >> 8 & 0xFF
