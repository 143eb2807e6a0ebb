"""The keeper: what it asks for, in which order, and when it leaves everything alone."""

import asyncio
from dataclasses import dataclass, field

import pytest

from zero.application.background import end
from zero.application.retention import KeeperParts, RetentionKeeper
from zero.application.retention_events import EntriesExpired, PartBroken, RetentionFailed, RetentionShort, StoreMeasured
from zero.domain.errors import BufferUnavailable, StoreUnavailable
from zero.domain.retention import Cut, Retention
from zero.infrastructure.memory import ManualClock, MemoryTelemetry
from zero.infrastructure.system.clock import SystemClock

TODAY = 20_000
DAY_NS = 86_400 * 10**9


@dataclass
class World:
    """A ledger and a store that note what is done to them; the store has 100 bytes a row."""

    rows: dict[tuple[str, int], int] = field(default_factory=dict)
    done: list[tuple[str, Cut]] = field(default_factory=list)
    buffer_away: bool = False
    broken: dict[str, str] = field(default_factory=dict)
    unreadable: bool = False

    async def set_aside_broken(self) -> dict[str, str]:
        if self.unreadable:
            raise StoreUnavailable("no right to look")
        return dict(self.broken)

    async def forget(self, cut: Cut) -> None:
        if self.buffer_away:
            raise BufferUnavailable("away")
        self.done.append(("forget", cut))

    async def disk_bytes(self) -> int:
        return 100 * sum(self.rows.values())

    async def rows_by_day(self) -> dict[tuple[str, int], int]:
        return dict(self.rows)

    async def remove(self, cut: Cut) -> int:
        self.done.append(("remove", cut))
        gone = [key for key in self.rows if key[1] < cut.of(key[0])]
        return sum(self.rows.pop(key) for key in gone)


def keeper(world: World, retention: Retention, ours: bool = True) -> tuple[RetentionKeeper, MemoryTelemetry, ManualClock]:
    telemetry, clock = MemoryTelemetry(), ManualClock(TODAY * DAY_NS)
    return RetentionKeeper(retention, KeeperParts(world, world, clock, telemetry, lambda: ours)), telemetry, clock


async def test_what_a_tenant_no_longer_keeps_goes_once_a_day_from_the_ledger_first() -> None:
    world = World({("acme", TODAY - 8): 3, ("acme", TODAY - 7): 1, ("other", TODAY - 8): 5, ("other", TODAY - 31): 7})
    one, telemetry, clock = keeper(world, Retention(30, {"acme": 7}))
    await one.look()
    await one.look()
    assert world.rows == {("acme", TODAY - 7): 1, ("other", TODAY - 8): 5}
    assert [what for what, _ in world.done] == ["forget", "remove"]
    assert telemetry.of(EntriesExpired) == [EntriesExpired("age", 10, TODAY - 30)]
    clock.advance(86_400)
    await one.look()
    assert world.rows == {("other", TODAY - 8): 5}


async def test_where_all_tenants_are_alike_the_store_itself_sees_to_age() -> None:
    world = World({("other", TODAY - 31): 7})
    one, telemetry, _ = keeper(world, Retention(30))
    await one.look()
    assert world.done == []
    assert telemetry.of(StoreMeasured) == [StoreMeasured(700, 0)]


async def test_above_its_size_the_store_loses_the_oldest_days_of_everybody() -> None:
    world = World({(tenant, TODAY - age): 10 for tenant in ("a", "b") for age in range(10)})
    one, telemetry, _ = keeper(world, Retention(30, bytes_max=10_000))
    await one.look()
    await one.look()
    assert {day for _, day in world.rows} == {TODAY - age for age in range(4)}, "8,000 of 9,500: the fifth day would not fit"
    assert telemetry.of(EntriesExpired) == [EntriesExpired("size", 120, TODAY - 3)]


async def test_the_last_two_days_stay_whatever_the_size_and_that_is_told() -> None:
    world = World({("a", TODAY - age): 10 for age in range(3)})
    one, telemetry, _ = keeper(world, Retention(30, bytes_max=500))
    await one.look()
    await one.look()
    assert {day for _, day in world.rows} == {TODAY, TODAY - 1}
    assert telemetry.of(RetentionShort) == [RetentionShort(2000, 500)]


async def test_what_the_ledger_cannot_forget_is_not_removed_and_tried_again() -> None:
    world = World({("acme", TODAY - 8): 3}, buffer_away=True)
    one, _, _ = keeper(world, Retention(30, {"acme": 7}))
    with pytest.raises(BufferUnavailable):
        await one.look()
    assert world.rows
    world.buffer_away = False
    await one.look()
    assert not world.rows


async def test_a_broken_part_is_told_once_and_counted_as_long_as_it_is_out() -> None:
    world = World({("a", TODAY): 10}, broken={"p1": "broken-on-start"})
    one, telemetry, _ = keeper(world, Retention(30))
    await one.look()
    world.broken["p2"] = "detached"
    await one.look()
    world.broken.clear()
    await one.look()
    assert telemetry.of(PartBroken) == [PartBroken("p1", "broken-on-start"), PartBroken("p2", "detached")]
    assert [seen.broken_parts for seen in telemetry.of(StoreMeasured)] == [1, 2, 0]


async def test_a_store_that_does_not_let_us_look_for_broken_parts_keeps_its_days_all_the_same() -> None:
    world = World({("acme", TODAY - 8): 3}, unreadable=True)
    one, telemetry, _ = keeper(world, Retention(30, {"acme": 7}))
    await one.look()
    assert not world.rows
    assert telemetry.of(RetentionFailed) == [RetentionFailed("no right to look")]


@pytest.mark.parametrize("ours", [True, False])
async def test_only_who_drains_the_first_shard_looks_and_an_outage_ends_nothing(ours: bool) -> None:
    world, telemetry = World({("acme", TODAY - 8): 3}, buffer_away=True), MemoryTelemetry()
    parts = KeeperParts(world, world, SystemClock(), telemetry, lambda: ours)
    running = asyncio.create_task(RetentionKeeper(Retention(30, {"acme": 7}), parts).run())
    await asyncio.sleep(0)
    assert len(telemetry.of(RetentionFailed)) == ours
    assert not running.done()
    await end(running)
