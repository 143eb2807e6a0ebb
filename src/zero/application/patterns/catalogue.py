"""Keeping the catalogue: every pattern that the store has seen, with its text, its group and its figures.

It is kept in the background, by every api process at once if there are several: what is put follows from the logs alone, so
they put the same. New patterns are looked for among the entries that have arrived since the last look; from time to time all
entries are counted again, which also finds what a look has missed. Grouping takes the whole set of a tenant's texts, whatever
their order; so the catalogue can be emptied at any time, and becomes what it was.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from zero.application.patterns.events import PatternsCatalogued, PatternsHalted, PatternsRefused
from zero.application.patterns.miner import group_texts
from zero.application.ports import Clock, PatternStore, Sighting, Telemetry
from zero.domain.batch_id import batch_id, batch_id_ms
from zero.domain.errors import Overloaded, StoreHalted, Unavailable
from zero.domain.pattern import Pattern, PatternLimits

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class CatalogueOptions:
    """Bounds of the work. A look begins ``look_seconds`` after the last one, a count of everything ``count_seconds``; each at
    least ``rest_factor`` times as long after it as it took, so that keeping the catalogue costs a small part of one core.

    A look goes back ``overlap_seconds`` behind the newest entry of the last one: shards are not drained in step.
    """

    look_seconds: float = 2.0
    count_seconds: float = 60.0
    rest_factor: float = 20.0
    overlap_seconds: int = 10
    sightings_max: int = 2_000
    rows_max: int = 10_000
    tenant_patterns_max: int = 50_000
    patterns_max: int = 200_000
    retry_seconds_max: float = 30.0


class Catalogue:
    """Keeps the catalogue for as long as ``run`` runs."""

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
        self._patterns: dict[str, dict[int, Pattern]] = defaultdict(dict)
        self._version = self._since = 0
        self._refused: set[str] = set()

    async def run(self) -> None:
        """Look and count until cancelled; outages are waited out."""
        count_at, pause = 0.0, 1.0
        halted = False
        while True:
            started = self._clock.monotonic()
            try:
                if started >= count_at:
                    await self.count()
                    took = self._clock.monotonic() - started
                    count_at = started + took + max(self._options.count_seconds, took * self._options.rest_factor)
                else:
                    await self.look()
                pause, halted = 1.0, False
            except (Unavailable, Overloaded, StoreHalted) as error:
                if not halted:
                    self._telemetry.emit(PatternsHalted(error.message))
                halted, count_at = True, 0.0
                await self._clock.sleep(pause)
                pause = min(2 * pause, self._options.retry_seconds_max)
                continue
            took = self._clock.monotonic() - started
            await self._clock.sleep(max(self._options.look_seconds, took * self._options.rest_factor))

    async def look(self) -> int:
        """Take in what others have put and what has arrived; returns how many patterns are new."""
        await self._read()
        newest = await self._store.newest_batch_id()
        added = 0
        while sightings := await self._store.unknown(self._since, self._options.sightings_max):
            taken = await self._add(sightings)
            added += taken
            if len(sightings) < self._options.sightings_max or not taken:
                break
        back_ms = max(0, batch_id_ms(newest) - self._options.overlap_seconds * 1000)
        self._since = max(self._since, batch_id(back_ms, 0, 0))
        return added

    async def count(self) -> None:
        """Count all entries again, and look for new patterns among all of them."""
        self._since = 0
        await self.look()
        figures = await self._store.figures()
        changed = []
        for (tenant, identity), found in figures.items():
            pattern = self._patterns[tenant].get(identity)
            if pattern is None:
                continue
            counted = replace(
                pattern,
                first=found.first,
                first_seen_ns=found.first_seen_ns,
                last_seen_ns=found.last_seen_ns,
                received_ms=found.received_ms,
                count=found.count,
            )
            if counted != pattern:
                changed.append(counted)
        self._forget(figures.keys())
        await self._put(changed)

    async def _read(self) -> None:
        """Read what was put since, by any process; a little is read again, for versions are made of clocks."""
        version = max(0, self._version - self._options.overlap_seconds * 1_000_000)
        while True:
            patterns, latest = await self._store.known(version, self._options.rows_max)
            for pattern in patterns:
                self._patterns[pattern.tenant][pattern.id] = pattern
            if len(patterns) < self._options.rows_max:
                break
            version = latest
        self._version = max(self._version, latest)

    async def _add(self, sightings: Iterable[Sighting]) -> int:
        """Put new patterns into the catalogue and into groups; returns how many there were room for."""
        added: list[Pattern] = []
        for sighting in sightings:
            mine = self._patterns[sighting.tenant]
            if len(mine) >= self._options.tenant_patterns_max or self._total() >= self._options.patterns_max:
                self._refuse(sighting.tenant)
                continue
            mine[sighting.id] = self._pattern(sighting)
            added.append(mine[sighting.id])
        await self._put(added)
        return len(added)

    def _pattern(self, sighting: Sighting) -> Pattern:
        text = self._mask(sighting.message)[: self._limits.text_chars]
        example = sighting.message[: self._limits.example_chars]
        times = sighting.first_seen_ns, sighting.last_seen_ns, sighting.received_ms
        return Pattern(sighting.tenant, sighting.id, text, example, sighting.first, sighting.id, text, *times, sighting.count)

    async def _put(self, fresh: list[Pattern]) -> None:
        """Group the tenants of these patterns anew, and put these and those whose group has changed."""
        started = self._clock.monotonic()
        wanted = {(pattern.tenant, pattern.id): pattern for pattern in fresh}
        for pattern in fresh:
            self._patterns[pattern.tenant][pattern.id] = pattern
        for tenant in sorted({pattern.tenant for pattern in fresh}):
            regrouped = await asyncio.to_thread(_regrouped, dict(self._patterns[tenant]))
            wanted |= {(tenant, pattern.id): pattern for pattern in regrouped}
        if not wanted:
            return
        await self._store.put(list(wanted.values()))
        for (tenant, identity), pattern in wanted.items():
            self._patterns[tenant][identity] = pattern
        seconds = self._clock.monotonic() - started
        self._telemetry.emit(PatternsCatalogued(len(fresh), len(wanted), self._total(), seconds))

    def _forget(self, living: Iterable[tuple[str, int]]) -> None:
        """Let go of patterns without entries; the store drops them when they are due."""
        kept: dict[str, set[int]] = defaultdict(set)
        for tenant, identity in living:
            kept[tenant].add(identity)
        for tenant, patterns in self._patterns.items():
            for identity in patterns.keys() - kept[tenant]:
                del patterns[identity]

    def _refuse(self, tenant: str) -> None:
        if tenant not in self._refused:
            self._refused.add(tenant)
            self._telemetry.emit(PatternsRefused(self._options.tenant_patterns_max))

    def _total(self) -> int:
        return sum(len(patterns) for patterns in self._patterns.values())


def _regrouped(patterns: Mapping[int, Pattern]) -> list[Pattern]:
    """Return the patterns of a tenant whose group is another one now. A group has the id of its earliest pattern."""
    ordered = sorted(patterns.values(), key=lambda pattern: (pattern.first, pattern.id))
    groups = group_texts([pattern.text for pattern in ordered])
    founders: dict[int, int] = {}
    changed = []
    for pattern, group in zip(ordered, groups.of, strict=True):
        founder = founders.setdefault(group, pattern.id)
        text = groups.texts[group]
        if (pattern.group_id, pattern.group_text) != (founder, text):
            changed.append(replace(pattern, group_id=founder, group_text=text))
    return changed
