"""A store to search that is a list; answers every query by reading all of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from zero.application.ports import Scope, StoreFigures, Tally
from zero.domain.batch_id import batch_id_ms
from zero.domain.entry import LogEntry
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from zero.domain.ledger import day_of
from zero.domain.query import Field
from zero.domain.stored import EntryKey, StoredEntry
from zero.infrastructure.memory.query_evaluator import matches


class MemoryReader:
    """Implements LogReader and FieldReader over ``stored``: tenant and entry, as they arrived. Raises ``failure`` if set."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, StoredEntry]] = []
        self.failure: Exception | None = None

    async def latest(self, scope: Scope, limit: int, before: EntryKey | None = None) -> Sequence[StoredEntry]:
        """Sort all of it."""
        found = [stored for stored in self.found(scope) if before is None or stored.key < before]
        return sorted(found, key=lambda stored: stored.key, reverse=True)[:limit]

    async def earliest(self, scope: Scope, limit: int, after: EntryKey) -> Sequence[StoredEntry]:
        """Sort all of it."""
        return sorted((stored for stored in self.found(scope) if stored.key > after), key=lambda stored: stored.key)[:limit]

    async def arrivals(self, scope: Scope, since_batch_id: int, limit: int) -> Sequence[tuple[int, int]]:
        """Sort all identities."""
        found = [(stored.batch_id, stored.index) for stored in self.found(scope) if stored.batch_id >= since_batch_id]
        return sorted(found, reverse=True)[:limit]

    async def entries(self, tenant: str, identities: Sequence[tuple[int, int]]) -> Sequence[StoredEntry]:
        """Look for each."""
        wanted = set(identities)
        found = [stored for of, stored in self.stored if of == tenant and (stored.batch_id, stored.index) in wanted]
        return sorted(found, key=lambda stored: (stored.batch_id, stored.index))

    async def histogram(self, scope: Scope, step_seconds: int) -> Sequence[Tally]:
        """Count."""
        step_ns = step_seconds * NANOSECONDS_PER_SECOND
        entries = [stored.entry for stored in self.found(scope)]
        counts = Counter((entry.timestamp_ns // step_ns * step_ns, entry.level) for entry in entries)
        return [Tally(start_ns, level, count) for (start_ns, level), count in sorted(counts.items())]

    async def facets(self, scope: Scope, fields: Sequence[str], limit: int) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Count."""
        entries = [stored.entry for stored in self.found(scope)]
        facets = {}
        for field in fields:
            counts = Counter(entry.level.name if field == "level" else str(getattr(entry, field)) for entry in entries)
            facets[field] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
        return facets

    async def keys(self, scope: Scope, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Count."""
        counts = Counter(key for stored in self.found(scope) for key in stored.entry.metadata)
        return _most_frequent(counts, prefix, limit)

    async def values(self, scope: Scope, field: Field, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Count."""
        return _most_frequent(Counter(_text(stored.entry, field) for stored in self.found(scope)), prefix, limit)

    async def figures(self, tenant: str, now_ns: int) -> StoreFigures:
        """Count; nothing is on a disk."""
        await self.ping()
        stored = [entry for of, entry in self.stored if of == tenant]
        recent = sum(batch_id_ms(entry.batch_id) >= now_ns // NANOSECONDS_PER_MILLISECOND - 60_000 for entry in stored)
        by_app, by_level = Counter(one.entry.app_id for one in stored), Counter(one.entry.level for one in stored)
        return StoreFigures(len(stored), by_app, by_level, recent, 0)

    async def rows(self) -> Mapping[str, int]:
        """Count."""
        await self.ping()
        return Counter(tenant for tenant, _ in self.stored)

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Count by the time in the batch id."""
        await self.ping()
        return Counter((tenant, day_of(batch_id_ms(stored.batch_id))) for tenant, stored in self.stored)

    async def ping(self) -> None:
        """Raise the failure that is set."""
        if self.failure is not None:
            raise self.failure

    def found(self, scope: Scope) -> list[StoredEntry]:
        """Return the entries of the scope. Raises the failure that is set."""
        if self.failure is not None:
            raise self.failure
        mine = [stored for tenant, stored in self.stored if tenant == scope.tenant]
        return [stored for stored in mine if _in_time(scope, stored) and matches(scope.query, stored)]


def _text(entry: LogEntry, field: Field) -> str:
    return str(entry.metadata.get(field.name, "") if field.is_key else getattr(entry, field.name))


def _most_frequent(counts: Counter[str], prefix: str, limit: int) -> Sequence[tuple[str, int]]:
    found = [(text, count) for text, count in counts.items() if text and text.lower().startswith(prefix.lower())]
    return sorted(found, key=lambda item: (-item[1], item[0]))[:limit]


def _in_time(scope: Scope, stored: StoredEntry) -> bool:
    timestamp_ns = stored.entry.timestamp_ns
    lower, upper = scope.from_ns, scope.to_ns
    return (lower is None or timestamp_ns >= lower) and (upper is None or timestamp_ns < upper)
