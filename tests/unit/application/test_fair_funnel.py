"""Rooms and funnels that tenants share: bounds, shares, turns, order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.application.fair_funnel import FairFunnel
from zero.application.fair_room import FairRoom, FairRoomOptions
from zero.application.funnel import FunnelOptions
from zero.domain.errors import Overloaded, QuotaExceeded
from zero.infrastructure.memory import ManualClock


def room(count_max: int = 1000, bytes_max: int = 1000) -> tuple[FairRoom, ManualClock]:
    clock = ManualClock()
    return FairRoom("room", FairRoomOptions(count_max, bytes_max), clock.monotonic), clock


def fill(shared: FairRoom, tenant: str, size: int = 10) -> int:
    """Let things in until one is refused; return how many bytes got in."""
    before = shared.bytes
    with pytest.raises(Overloaded):
        while True:
            shared.enter(tenant, 1, size)
    return shared.bytes - before


def test_alone_a_tenant_may_have_most_of_the_room_but_not_all():
    shared, _ = room()
    assert fill(shared, "a") == 870
    shared.enter("b", 1, 100)


def test_beside_others_a_flooder_is_refused_and_the_others_are_not():
    shared, _ = room()
    shared.enter("quiet", 1, 10)
    with pytest.raises(QuotaExceeded) as caught:
        while True:
            shared.enter("flooder", 1, 10)
    assert caught.value.limit == "share"
    assert 400 <= shared.bytes <= 510
    for _ in range(15):
        shared.enter("quiet", 1, 10)


def test_however_many_flood_there_is_room_for_one_who_comes_now():
    shared, _ = room(10_000, 10_000)
    names = [f"flooder-{number}" for number in range(10)]
    for name in names:
        shared.enter(name, 1, 10)
    for name in names:
        with pytest.raises(QuotaExceeded):
            while True:
                shared.enter(name, 1, 10)
    assert shared.bytes > 8500
    shared.enter("new", 1, 400)


def test_a_tenant_that_was_quiet_for_a_while_does_not_narrow_the_shares():
    shared, clock = room()
    shared.enter("quiet", 1, 10)
    shared.leave("quiet", 1, 10)
    assert fill(shared, "busy") < 520
    for _ in range(2):
        clock.advance(1)
        shared.active()
        shared.enter("busy", 0, 0)
    assert fill(shared, "busy") > 300


def test_one_thing_larger_than_a_share_is_let_in_alone():
    shared, _ = room()
    shared.enter("a", 1, 10)
    shared.enter("b", 1, 900)
    with pytest.raises(QuotaExceeded):
        shared.enter("b", 1, 10)
    with pytest.raises(Overloaded):
        shared.enter("c", 1, 200)
    empty, _ = room()
    empty.enter("a", 5000, 5000)


def test_what_has_left_leaves_nothing_behind():
    shared, clock = room()
    for number in range(100):
        shared.enter(f"t{number}", 1, 1)
    for number in range(100):
        shared.leave(f"t{number}", 1, 1)
    clock.advance(2)
    assert (shared.count, shared.bytes, shared.active(), shared.tenants) == (0, 0, 0, {})


def funnel(items: int = 100, size: int = 1000, turn: int = 100) -> FairFunnel[str]:
    return FairFunnel(FunnelOptions(items, size), turn, ManualClock().monotonic)


def test_alone_a_tenant_fills_whole_flushes():
    shared = funnel()
    for number in range(15):
        shared.add("a", f"a{number}", 100, 1)
    assert shared.take() == [f"a{number}" for number in range(10)]
    assert len(shared) == 5
    shared.done()
    assert shared.take() == [f"a{number}" for number in range(10, 15)]


def test_beside_others_each_lane_has_a_turn_in_each_flush():
    shared = funnel()
    for number in range(9):
        shared.add("flooder", f"f{number}", 50, 1)
    shared.add("quiet", "q0", 50, 1)
    assert shared.take() == ["f0", "f1", "q0"]
    shared.done()
    shared.add("quiet", "q1", 50, 1)
    assert shared.take() == ["f2", "f3", "q1"]


def test_a_large_item_takes_its_turn_alone_and_never_waits_for_ever():
    shared = funnel()
    shared.add("a", "large", 900, 1)
    shared.add("a", "small", 1, 1)
    shared.add("b", "other", 50, 1)
    assert shared.take() == ["large", "other"]
    shared.done()
    assert shared.take() == ["small"]


def test_who_found_no_room_in_a_flush_is_first_in_the_next():
    shared = funnel(items=100, size=100)
    for number in range(4):
        shared.add(f"t{number}", f"i{number}", 40, 1)
    order = []
    while len(shared):
        order.append(shared.take())
        shared.done()
    assert order == [["i0", "i1"], ["i2", "i3"]]


def test_nothing_is_taken_while_a_flush_is_in_flight_and_what_waits_can_be_dropped():
    shared = funnel()
    for number in range(16):
        shared.add("a" if number % 2 else "b", str(number), 60, 1)
    taken = shared.take()
    assert shared.take() == []
    assert sorted(taken + shared.drop(), key=int) == [str(number) for number in range(16)]
    assert len(shared) == 0
    shared.add("a", "next", 60, 1)
    assert shared.take() == []
    shared.done()
    assert shared.take() == ["next"]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 400), st.integers(1, 30)), max_size=60), st.integers(1, 400))
def test_what_goes_in_comes_out_once_in_the_order_of_its_tenant_and_within_the_bounds(adds, turn):
    shared = funnel(100, 1000, turn)
    waiting, given_in, out = {}, [], []
    for number, (tenant, size, count) in enumerate(adds):
        try:
            shared.add(str(tenant), f"{tenant}:{number}", size, count)
        except Overloaded:
            continue
        waiting[f"{tenant}:{number}"] = (size, count)
        given_in.append(f"{tenant}:{number}")
    assert sum(size for size, _ in waiting.values()) <= 2000
    while len(shared):
        taken = shared.take()
        assert taken
        assert sum(waiting[item][0] for item in taken) <= 1000
        assert len(taken) == 1 or sum(waiting[item][1] for item in taken) <= 100
        shared.done()
        out += taken
    assert sorted(out) == sorted(given_in)
    for tenant in range(5):
        assert [item for item in out if item.startswith(f"{tenant}:")] == [i for i in given_in if i.startswith(f"{tenant}:")]
    assert (shared._room.count, shared._room.bytes, len(shared)) == (0, 0, 0)
