"""The funnel keeps order, keeps its bounds, and has one flush in flight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.application.funnel import Funnel, FunnelOptions
from zero.domain.errors import Overloaded


def test_take_gives_everything_that_was_added_in_order() -> None:
    funnel = Funnel[int](FunnelOptions(items_max=10, bytes_max=100))
    for item in range(3):
        funnel.add(item, weight=1)
    assert (funnel.count, funnel.weight, bool(funnel)) == (3, 3, True)
    assert funnel.take() == [0, 1, 2]
    assert not funnel


def test_a_second_take_waits_for_the_first_flush() -> None:
    funnel = Funnel[int](FunnelOptions(items_max=10, bytes_max=100))
    funnel.add(1, weight=1)
    assert funnel.take() == [1]
    funnel.add(2, weight=1)
    assert funnel.in_flight and funnel.take() == []
    funnel.done()
    assert funnel.take() == [2]


def test_taking_from_an_empty_funnel_starts_no_flush() -> None:
    funnel = Funnel[int]()
    assert funnel.take() == []
    assert not funnel.in_flight


def test_an_add_is_refused_once_both_halves_are_full() -> None:
    funnel = Funnel[int](FunnelOptions(items_max=2, bytes_max=100))
    for item in range(4):
        funnel.add(item, weight=1)
    with pytest.raises(Overloaded):
        funnel.add(4, weight=1)
    assert funnel.take() == [0, 1]
    with pytest.raises(Overloaded):
        funnel.add(4, weight=1)
    funnel.done()
    funnel.add(4, weight=1)
    assert funnel.take() == [2, 3]


def test_bytes_bound_a_half_as_well_as_items() -> None:
    funnel = Funnel[str](FunnelOptions(items_max=100, bytes_max=10))
    funnel.add("a", weight=6)
    assert not funnel.ready
    funnel.add("b", weight=6)
    assert funnel.ready
    assert funnel.take() == ["a"]


def test_one_item_larger_than_a_half_travels_alone() -> None:
    funnel = Funnel[str](FunnelOptions(items_max=5, bytes_max=10))
    funnel.add("giant", weight=1_000, count=50)
    assert funnel.ready
    funnel.add("small", weight=1)
    assert funnel.take() == ["giant"]
    funnel.done()
    assert funnel.take() == ["small"]


def test_clear_forgets_both_halves_and_the_flight() -> None:
    funnel = Funnel[int](FunnelOptions(items_max=1, bytes_max=10))
    funnel.add(1, weight=1)
    funnel.take()
    funnel.add(2, weight=1)
    funnel.clear()
    assert not funnel and not funnel.in_flight


def test_bounds_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        FunnelOptions(items_max=0)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 4), st.booleans()), max_size=80))
def test_nothing_is_lost_repeated_or_reordered_and_memory_is_two_halves(adds: list[tuple[int, int, bool]]) -> None:
    funnel = Funnel[int](FunnelOptions(items_max=8, bytes_max=40))
    accepted: list[int] = []
    taken: list[int] = []
    for number, (weight, count, flush) in enumerate(adds):
        try:
            funnel.add(number, weight, count)
            accepted.append(number)
        except Overloaded:
            assert funnel.in_flight or funnel.ready
        assert funnel.weight <= 2 * 40 and funnel.count <= 2 * 8
        if flush:
            taken += funnel.take()
            funnel.done()
    while batch := funnel.take():
        taken += batch
        funnel.done()
    assert taken == accepted
