"""Which calls are struck, and what is found after it. The points themselves: ``zero torture --row R1``."""

import pytest

from tests.torture.killpoints.acts import wrong_rows


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
