"""Keeping the catalogue: every pattern that the store has seen, with its text, its group and its figures.

It is kept in the background, by every api process at once if there are several: what is put follows from the logs alone, so
they put the same. New patterns are looked for among the entries that have arrived since the last look; from time to time all
entries are counted again, which also finds what a look has missed. Grouping takes the whole set of a tenant's texts, whatever
their order; so the catalogue can be emptied at any time, and becomes what it was.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from zero.application.patterns.events import PatternsCatalogued, PatternsHalted, PatternsRefused
from zero.application.patterns.shelf import Shelf, regroup, weight
from zero.application.ports import Clock, PatternFigures, PatternStore, Sighting, Telemetry
from zero.domain.batch_id import batch_id, batch_id_ms
from zero.domain.errors import Overloaded, StoreHalted, StoreRejected, Unavailable
from zero.domain.pattern import Pattern, PatternLimits

Mask = Callable[[str], str]

_DEAD_SHARE_MAX = 0.1  # of patterns without entries, which the store drops when they are due
_OUTAGES = (Unavailable, Overloaded, StoreHalted, StoreRejected)


@dataclass(frozen=True, slots=True)
class CatalogueOptions:
    """Bounds of the catalogue's upkeep.

    New patterns are looked for every ``look_seconds``; all entries are counted again every ``count_seconds``. Either rests for
    at least ``rest_factor`` times as long as it took, so that the catalogue costs a small part of one core. While nothing
    arrives, patterns that other processes put are read, and late entries looked for, every ``idle_seconds``.

    A look goes back ``overlap_seconds`` behind the newest entry of the last one: shards are not drained in step. Patterns
    beyond ``tenant_patterns_max``, and beyond ``memory_bytes_max`` of all tenants, are left out: their entries are found by
    every search, but belong to no pattern.
    """

    look_seconds: float = 2.0
    idle_seconds: float = 10.0
    count_seconds: float = 60.0
    rest_factor: float = 20.0
    overlap_seconds: int = 10
    sightings_max: int = 2_000
    rows_max: int = 10_000
    tenant_patterns_max: int = 200_000
    memory_bytes_max: int = 256 << 20
    retry_seconds_max: float = 30.0


class Catalogue:
    """Finds new patterns and counts entries by pattern for as long as ``run`` runs."""

    def __init__(
        self,
        store: PatternStore,
        mask: Mask,
        clock: Clock,
        telemetry: Telemetry,
        options: CatalogueOptions | None = None,
    ) -> None:
        self._store = store
        self._mask = mask
        self._clock = clock
        self._telemetry = telemetry
        self._options = options or CatalogueOptions()
        self._limits = PatternLimits()
        self._shelves: dict[str, Shelf] = defaultdict(Shelf)
        self._version = self._since = self._recent = 0
        self._newest = -1
        self._idle_until = 0.0
        self._refused: set[str] = set()
        self.puts = 0

    async def run(self) -> None:
        """Look and count until cancelled; outages are waited out."""
        options, count_at, pause = self._options, 0.0, 1.0
        while True:
            started = self._clock.monotonic()
            try:
                if started >= count_at:
                    try:
                        await self.count()
                    finally:  # one that failed has to rest as well, so that looks go on
                        took = self._clock.monotonic() - started
                        count_at = started + took + max(options.count_seconds, took * options.rest_factor)
                else:
                    await self._look_for_arrivals()
                    took = self._clock.monotonic() - started
                pause = 1.0
                await self._clock.sleep(max(options.look_seconds, took * options.rest_factor))
            except _OUTAGES as error:
                if pause == 1.0:
                    self._telemetry.emit(PatternsHalted(error.message))
                await self._clock.sleep(pause)
                pause = min(2 * pause, options.retry_seconds_max)

    async def _look_for_arrivals(self) -> None:
        """Look if something has arrived since the last look, or that is some time ago."""
        newest, now = await self._store.newest_batch_id(), self._clock.monotonic()
        if newest != self._newest or now >= self._idle_until:
            await self.look()
            self._newest, self._idle_until = newest, now + self._options.idle_seconds

    async def look(self) -> int:
        """Take in what others have put and what has arrived; returns how many patterns are new."""
        await self._read()
        newest_ms = batch_id_ms(await self._store.newest_batch_id())
        self._recent = batch_id(max(0, newest_ms - self._options.overlap_seconds * 1000), 0, 0)
        added, full = 0, True
        while full:
            sightings = await self._store.unknown(self._since, self._options.sightings_max)
            taken = await self._add(sightings)
            added += taken
            full = taken > 0 and len(sightings) == self._options.sightings_max
        self._since = max(self._since, self._recent)
        return added

    async def count(self) -> None:
        """Count all entries again, and look for new patterns among all of them; where that fails, looks go on as before."""
        since, self._since = self._since, 0
        try:
            await self.look()
            figures = await self._store.figures()
        except _OUTAGES:
            self._since = since or self._recent
            raise
        changed, moved = [], []
        for (tenant, identity), found in figures.items():
            pattern = self._shelves[tenant].get(identity)
            if pattern is not None and (counted := _counted(pattern, found)) != pattern:
                changed.append(counted)
                if counted.first != pattern.first:
                    moved.append(counted)
        await self._put(changed, moved)
        if self._total() - len(figures) > _DEAD_SHARE_MAX * self._total():
            self._shelves.clear()
            self._version = 0

    async def _read(self) -> None:
        """Read what was put since, by any process; a little is read again, for versions are made of clocks."""
        version = max(0, self._version - self._options.overlap_seconds * 1_000_000)
        while True:
            patterns, latest = await self._store.known(version, self._options.rows_max)
            for pattern in patterns:
                self._shelves[pattern.tenant].put(pattern)
            self._version = max(self._version, latest)
            if len(patterns) < self._options.rows_max:
                break
            version = latest

    async def _add(self, sightings: Iterable[Sighting]) -> int:
        """Put new patterns into the catalogue and into groups; returns how many there was room for."""
        added: list[Pattern] = []
        room_bytes = self._options.memory_bytes_max - sum(shelf.size_bytes for shelf in self._shelves.values())
        room = {tenant: self._options.tenant_patterns_max - len(shelf) for tenant, shelf in self._shelves.items()}
        for sighting in sightings:
            left = room.setdefault(sighting.tenant, self._options.tenant_patterns_max)
            if left <= 0 or room_bytes <= 0:
                self._refuse(sighting.tenant)
                continue
            added.append(self._pattern(sighting))
            room[sighting.tenant] = left - 1
            room_bytes -= weight(added[-1])
        await self._put(added, added)
        if added:
            self._telemetry.emit(PatternsCatalogued(len(added), self._total()))
        return len(added)

    def _pattern(self, sighting: Sighting) -> Pattern:
        text = self._mask(sighting.message)[: self._limits.text_chars]
        example = sighting.message[: self._limits.example_chars]
        times = sighting.first_seen_ns, sighting.last_seen_ns, sighting.received_ms
        return Pattern(sighting.tenant, sighting.id, text, example, sighting.first, sighting.id, text, *times, sighting.count)

    async def _put(self, changed: Sequence[Pattern], moved: Sequence[Pattern]) -> None:
        """Put what has changed, and whatever is in another group because of the ``moved`` ones."""
        for pattern in changed:
            self._shelves[pattern.tenant].put(pattern)
        wanted = {(pattern.tenant, pattern.id): pattern for pattern in changed}
        by_tenant: dict[str, list[int]] = defaultdict(list)
        for pattern in moved:
            by_tenant[pattern.tenant].append(pattern.id)
        for tenant, identities in by_tenant.items():
            for neighbours in self._shelves[tenant].neighbours(identities):
                for pattern in await asyncio.to_thread(regroup, neighbours):
                    wanted[tenant, pattern.id] = pattern
        if not wanted:
            return
        for pattern in wanted.values():
            self._shelves[pattern.tenant].put(pattern)
        try:
            await self._store.put(list(wanted.values()))
        except BaseException:
            self._shelves.clear()  # what the store has is read again
            self._version = self._since = 0
            raise
        self.puts += 1

    def _refuse(self, tenant: str) -> None:
        if tenant not in self._refused:
            self._refused.add(tenant)
            self._telemetry.emit(PatternsRefused(self._options.tenant_patterns_max))

    def _total(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())


def _counted(pattern: Pattern, figures: PatternFigures) -> Pattern:
    return replace(
        pattern,
        first=figures.first,
        first_seen_ns=figures.first_seen_ns,
        last_seen_ns=figures.last_seen_ns,
        received_ms=figures.received_ms,
        count=figures.count,
    )
