"""Patterns of a store that is a list: a pattern is a message, and a group of its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from zero.application.ports import PatternCount, PatternQuery, PatternSeries, PatternTally, Scope, Steps
from zero.domain.pattern import Pattern
from zero.domain.stored import StoredEntry
from zero.infrastructure.memory.query_evaluator import message_id
from zero.infrastructure.memory.reader import MemoryReader


class MemoryPatternReader:
    """Implements PatternReader over what a MemoryReader holds."""

    def __init__(self, reader: MemoryReader) -> None:
        self._reader = reader

    async def count(self, query: PatternQuery) -> Sequence[PatternCount]:
        """Read everything."""
        counts = []
        for identity, found in self._groups(query.scope).items():
            pattern = self._patterns(query.scope.tenant)[identity]
            last_ns = max(stored.entry.timestamp_ns for stored in found)
            counts.append(PatternCount(identity, pattern.text, pattern.example, len(found), pattern.first_seen_ns, last_ns))
        keys = {
            "frequent": lambda one: (-one.count, one.id),
            "rare": lambda one: (one.count, one.id),
            "new": lambda one: (-one.first_seen_ns, one.id),
        }
        wanted = [
            one
            for one in counts
            if one.first_seen_ns >= (query.new_since_ns or 0) and (query.group_ids is None or one.id in query.group_ids)
        ]
        return sorted(wanted, key=keys[query.order])[: query.limit]

    async def tallies(self, scope: Scope, group_ids: Sequence[int], steps: Steps) -> Sequence[PatternTally]:
        """Read everything; one tally an entry."""
        return [
            PatternTally(identity, _step(stored, steps), stored.entry.level, stored.entry.app_id, 1)
            for identity, found in self._groups(scope).items()
            for stored in found
            if identity in group_ids
        ]

    async def series(self, scope: Scope, steps: Steps, limit: int) -> Sequence[PatternSeries]:
        """Read everything."""
        series = []
        for identity, found in self._groups(scope).items():
            counts: dict[int, int] = defaultdict(int)
            for stored in found:
                counts[_step(stored, steps)] += 1
            pattern = self._patterns(scope.tenant)[identity]
            series.append(PatternSeries(identity, pattern.first_seen_ns, counts))
        return sorted(series, key=lambda one: (-sum(one.counts.values()), one.id))[:limit]

    async def texts(self, tenant: str, group_ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
        """Look them up."""
        patterns = self._patterns(tenant)
        return {one: (patterns[one].text, patterns[one].example) for one in group_ids if one in patterns}

    async def members(self, tenant: str, group_id: int, limit: int) -> Sequence[Pattern]:
        """Return the one."""
        pattern = self._patterns(tenant).get(group_id)
        return [pattern] if pattern else []

    async def extent(self, tenant: str) -> tuple[int, int] | None:
        """Read everything."""
        patterns = self._patterns(tenant).values()
        if not patterns:
            return None
        return min(one.first_seen_ns for one in patterns), max(one.last_seen_ns for one in patterns)

    def _groups(self, scope: Scope) -> dict[int, list[StoredEntry]]:
        groups: dict[int, list[StoredEntry]] = defaultdict(list)
        for stored in self._reader.found(scope):
            groups[message_id(stored.entry.message)].append(stored)
        return groups

    def _patterns(self, tenant: str) -> dict[int, Pattern]:
        entries: dict[int, list[StoredEntry]] = defaultdict(list)
        for of, stored in self._reader.stored:
            if of == tenant:
                entries[message_id(stored.entry.message)].append(stored)
        return {identity: _pattern(tenant, identity, found) for identity, found in entries.items()}


def _pattern(tenant: str, identity: int, found: Sequence[StoredEntry]) -> Pattern:
    first = min(found, key=lambda stored: (stored.batch_id, stored.index))
    text, times = first.entry.message, [stored.entry.timestamp_ns for stored in found]
    place = first.batch_id, first.index
    return Pattern(tenant, identity, text, text, place, identity, text, min(times), max(times), 0, len(found))


def _step(stored: StoredEntry, steps: Steps) -> int:
    return steps.start_ns + (stored.entry.timestamp_ns - steps.start_ns) // steps.step_ns * steps.step_ns
