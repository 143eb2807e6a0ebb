"""Keeping the catalogue over a store that cannot count everything in time."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from zero.application.background import end
from zero.application.patterns.catalogue import Catalogue, CatalogueOptions
from zero.application.ports import PatternFigures, Sighting
from zero.domain.batch_id import batch_id
from zero.domain.errors import StoreUnavailable
from zero.domain.pattern import Pattern
from zero.infrastructure.memory import ManualClock, MemoryTelemetry

NOW_MS = 1_795_341_600_000


class LargeStore:
    """What arrived of late is found; to group all of it takes too long."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.patterns: list[Pattern] = []

    async def newest_batch_id(self) -> int:
        return batch_id(NOW_MS, 0, 0)

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        self.asked.append(since_batch_id)
        if not since_batch_id:
            raise StoreUnavailable("timeout exceeded")
        if self.patterns:
            return []
        return [Sighting("default", 1, "new", (since_batch_id, 0), 1, 1, 1, 1)]

    async def known(self, since_version: int, limit: int) -> tuple[Sequence[Pattern], int]:
        return [], since_version

    async def put(self, patterns: Sequence[Pattern]) -> None:
        self.patterns += patterns

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        raise AssertionError("it failed before")


async def test_where_everything_cannot_be_counted_in_time_new_patterns_are_found_among_what_arrives() -> None:
    store = LargeStore()
    catalogue = Catalogue(store, str, ManualClock(NOW_MS * 10**6), MemoryTelemetry())
    with pytest.raises(StoreUnavailable):
        await catalogue.count()
    assert await catalogue.look() == 1
    assert [pattern.text for pattern in store.patterns] == ["new"]
    assert store.asked[:2] == [0, batch_id(NOW_MS - 10_000, 0, 0)]
    with pytest.raises(StoreUnavailable):
        await catalogue.count()
    assert await catalogue.look() == 0


class QuietStore(LargeStore):
    """Nothing arrives; the clock says when it was asked for what."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock, self.newest_asked = clock, 0
        self.looks: list[float] = []

    async def newest_batch_id(self) -> int:
        await asyncio.sleep(0)
        self.newest_asked += 1
        return await super().newest_batch_id()

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        self.looks.append(self.clock.monotonic())
        return []

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        return {}


async def test_while_nothing_arrives_one_small_question_takes_the_place_of_most_looks() -> None:
    clock = ManualClock(NOW_MS * 10**6)
    store, options = QuietStore(clock), CatalogueOptions(count_seconds=1e6)
    keeping = asyncio.create_task(Catalogue(store, str, clock, MemoryTelemetry(), options).run())
    try:
        async with asyncio.timeout(30):
            while len(store.looks) < 6:  # noqa: ASYNC110 - the clock is its own
                await asyncio.sleep(0)
    finally:
        await end(keeping)
    later = store.looks[2:6]  # the first are the count, and the first look after it
    assert later[-1] - later[0] == 3 * options.idle_seconds
    assert store.newest_asked > 4 * len(later)
