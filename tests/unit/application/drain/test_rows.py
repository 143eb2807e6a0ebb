"""Arithmetic on rows agrees with sets of identities."""

from hypothesis import given
from hypothesis import strategies as st

from zero.application.drain.rows import absent_rows, all_rows, count_rows, halves, only_used
from zero.application.ports import RowRange
from zero.domain.frame import Frame


def frames(counts: list[int]) -> list[Frame]:
    return [Frame(100 + at, 0, count, "t", b"", 0) for at, count in enumerate(counts)]


def identities(rows: list[RowRange]) -> list[tuple[int, int]]:
    return [(part.frame, index) for part in rows for index in range(part.start, part.stop)]


COUNTS = st.lists(st.integers(0, 6), min_size=1, max_size=6)
PRESENT = st.dictionaries(st.integers(99, 107), st.lists(st.integers(0, 7), max_size=8), max_size=6)


@given(COUNTS, PRESENT)
def test_absent_rows_are_all_rows_less_those_present(counts: list[int], present: dict[int, list[int]]) -> None:
    some = frames(counts)
    absent = absent_rows(some, all_rows(some), present)
    wanted = [(at, i) for at, count in enumerate(counts) for i in range(count) if i not in present.get(100 + at, [])]
    assert identities(absent) == wanted
    assert count_rows(absent) == len(wanted)


@given(COUNTS, PRESENT)
def test_halves_part_the_rows_in_order_and_neither_is_empty(counts: list[int], present: dict[int, list[int]]) -> None:
    some = frames(counts)
    rows = absent_rows(some, all_rows(some), present)
    left, right = halves(rows)
    assert identities(left) + identities(right) == identities(rows)
    if count_rows(rows) > 1:
        assert abs(count_rows(left) - count_rows(right)) <= 1


@given(COUNTS, PRESENT)
def test_only_used_names_the_same_rows_of_fewer_frames(counts: list[int], present: dict[int, list[int]]) -> None:
    some = frames(counts)
    rows = absent_rows(some, all_rows(some), present)
    used, chosen = only_used(some, rows)
    assert [(used[at].batch_id, i) for at, i in identities(chosen)] == [(some[at].batch_id, i) for at, i in identities(rows)]
    assert len(used) == len({part.frame for part in rows})
