"""Which calls are struck, and what is found after it. The points themselves: ``zero torture --row R1``."""

import pytest

from tests.torture.killpoints.acts import wrong_rows
from tests.torture.killpoints.sweep import chosen
from tests.torture.killpoints.tracing import Traced


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        ([(7, 0, "a"), (7, 1, "b")], {}),
        ([(7, 0, "a")], {"lost": 1}),
        ([(7, 0, "a"), (7, 1, "b"), (7, 1, "b")], {"double": 1}),
        ([(7, 0, "a"), (7, 1, "a")], {"corrupt": 1}),
        ([(7, 0, "a"), (7, 1, "b"), (8, 0, "a"), (7, 3, "a")], {"phantom": 2}),
        ([(7, 0, "a"), (7, 1, "b"), (7, 2, "c")], {"phantom": 1}),
    ],
)
def test_a_kill_point_tells_lost_double_phantom_and_corrupt(stored, wrong):
    rows = {(7, 0): ("a", False), (7, 1): ("b", False), (7, 2): ("c", True)}
    assert wrong_rows(rows, stored, [(7, 2)]) == dict.fromkeys(("lost", "double", "phantom", "corrupt"), 0) | wrong


def test_the_kinds_of_calls_take_turns_and_renames_come_first():
    calls = {"sendto": 11_000, "renameat2": 4, "fsync": 40, "rename": 2}
    points = [chosen(turn, calls) for turn in range(40)]
    assert [name for _, _, name in points[:5]] == ["rename", "renameat2", "fsync", "sendto", "rename"]
    assert {name: len({number for number, _, one in points if one == name}) for name in calls} == {
        "rename": 2,
        "renameat2": 4,
        "fsync": 10,
        "sendto": 10,
    }
    assert all(1 <= number <= of == calls[name] for number, of, name in points)
    assert points == [chosen(turn, calls) for turn in range(40)]


def test_the_third_call_of_one_name_is_counted_among_others():
    victim = Traced(1, 3, "rename")
    died = [victim.note(call) for call in ("rename", "write", "rename", "write", "rename", "rename")]
    assert died == [False, False, False, False, True, False]
    victim.arm(2)
    assert [victim.note(call) for call in ("rename", "write", "rename")] == [False, True, False]
