"""The intake keeps memory bounded whatever the sizes of the frames."""

from zero.application.drain.intake import FIRST_LIMIT, Intake
from zero.application.drain.options import DrainOptions
from zero.application.ports import Delivery, Position
from zero.domain.frame import pack_frame
from zero.infrastructure.memory import MemoryCodec

CRC = MemoryCodec().crc32c


def delivery(number: int, count: int = 1, size: int = 10) -> Delivery:
    data = pack_frame(number, 0, count, "t", [b"x" * size], CRC)
    return Delivery(Position(0, f"{number}-0"), data, "t", count)


def intake(**bounds: int) -> Intake:
    return Intake(CRC, DrainOptions(**bounds))


def test_a_batch_holds_at_most_a_block_of_rows_and_the_rest_comes_next() -> None:
    gathered = intake(block_rows_max=5)
    gathered.admit([delivery(n, count=2) for n in range(4)])
    assert [one.frame.batch_id for one in gathered.take().held] == [0, 1]
    assert [one.frame.batch_id for one in gathered.take().held] == [2, 3]


def test_what_fits_neither_half_stays_in_the_pending_list() -> None:
    gathered = intake(block_rows_max=2)
    gathered.admit([delivery(n) for n in range(1, 8)])
    assert gathered.spilled
    assert gathered.cursor == "4-0"


def test_the_limit_starts_small_grows_twofold_and_honours_its_bound() -> None:
    gathered = intake(read_frames_max=20)
    limits = [gathered.limit()]
    for turn in range(4):
        gathered.admit([delivery(turn)])
        limits.append(gathered.limit())
    assert limits == [FIRST_LIMIT, 4, 8, 16, 20]


def test_the_limit_shrinks_to_what_still_fits_when_frames_are_large() -> None:
    gathered = intake(block_bytes_max=10_000)
    gathered.admit([delivery(n, size=2_000) for n in range(2)])
    assert gathered.limit() == 2


def test_the_limit_shrinks_to_what_still_fits_when_frames_hold_many_rows() -> None:
    gathered = intake(block_rows_max=100)
    gathered.admit([delivery(1), delivery(2, count=40)])
    assert gathered.limit() == 1
    assert not gathered.spilled


def test_a_read_larger_than_a_block_loses_the_trust_that_small_ones_earned() -> None:
    gathered = intake(block_bytes_max=10_000)
    for turn in range(6):
        gathered.admit([delivery(turn)])
    gathered.clear()
    gathered.admit([delivery(n, size=4_000) for n in range(3)])
    gathered.clear()
    gathered.admit([delivery(9)])
    assert gathered.limit() <= 2 * FIRST_LIMIT


def test_a_damaged_frame_keeps_the_tenant_and_count_it_was_appended_with() -> None:
    gathered = intake()
    good = delivery(1, count=7)
    assert good.data is not None
    gathered.admit([Delivery(good.position, good.data[:-1] + b"?", "blue", 7)])
    (letter,) = gathered.take().corrupt
    assert (letter.tenant, letter.count, letter.index) == ("blue", 7, None)


def test_damaged_frames_count_towards_a_full_batch() -> None:
    gathered = intake(block_bytes_max=1_000)
    gathered.admit([Delivery(Position(0, f"{n}-0"), b"?" * 600) for n in range(2)])
    assert gathered.ready
