"""The store and the query language, as searches see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zero.domain.entry import Level
from zero.domain.instant import NANOSECONDS_PER_SECOND
from zero.domain.query import Everything, Field, Node
from zero.domain.stored import EntryKey, StoredEntry

BUCKET_NS = 300 * NANOSECONDS_PER_SECOND
"""The store counts the entries of each five minutes beforehand: what is asked for in whole ones is answered fastest."""


class QueryParser(Protocol):
    """The query language. Safe to call from any thread."""

    def parse(self, text: str, now_ns: int) -> Node:
        """Return what the query asks for; ``now_ns`` is what ``now`` means in it. Raises QuerySyntaxError."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entries a read is about: always of one tenant, from ``from_ns`` up to ``to_ns`` (exclusive), None for open."""

    tenant: str
    query: Node
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows it: all entries of the tenant, of all time."""
        return self.query == Everything() and self.from_ns is None and self.to_ns is None


@dataclass(frozen=True, slots=True)
class Tally:
    """Entries of one level in the interval that begins at ``start_ns``."""

    start_ns: int
    level: Level
    count: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What the store holds of one tenant; ``disk_bytes`` is that of all tenants together."""

    entries: int
    by_app: Mapping[str, int]
    by_level: Mapping[Level, int]
    entries_last_minute: int
    disk_bytes: int


class LogReader(Protocol):
    """The store as the search sees it. Reads only; raises StoreUnavailable, Overloaded or QueryTooExpensive."""

    async def latest(self, scope: Scope, limit: int, before: EntryKey | None = None) -> Sequence[StoredEntry]:
        """Return up to ``limit`` entries, newest first, that come after ``before`` in that order."""

    async def earliest(self, scope: Scope, limit: int, after: EntryKey) -> Sequence[StoredEntry]:
        """Return up to ``limit`` entries, oldest first, that come after ``after`` in that order."""

    async def arrivals(self, scope: Scope, since_batch_id: int, limit: int) -> Sequence[tuple[int, int]]:
        """Return up to ``limit`` (batch id, index) of entries accepted since that batch id, newest first."""

    async def entries(self, tenant: str, identities: Sequence[tuple[int, int]]) -> Sequence[StoredEntry]:
        """Return the entries with these identities, oldest accepted first."""

    async def histogram(self, scope: Scope, step_seconds: int) -> Sequence[Tally]:
        """Count entries by level in steps that begin at multiples of ``step_seconds``; empty steps are left out."""

    async def facets(self, scope: Scope, fields: Sequence[str], limit: int) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Return for each field its ``limit`` most frequent values with their counts."""

    async def figures(self, tenant: str, now_ns: int) -> StoreFigures:
        """Return what the store holds of the tenant."""

    async def rows(self) -> Mapping[str, int]:
        """Return the number of stored entries of every tenant."""

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Return the same for every tenant and day of receipt (UTC, counted from 1970)."""

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable."""


class FieldReader(Protocol):
    """What the newest entries of a scope hold, to complete a query with; a sample, most frequent first. Raises as LogReader."""

    async def keys(self, scope: Scope, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return up to ``limit`` metadata keys that begin with the prefix in any case, and how many entries have them."""

    async def values(self, scope: Scope, field: Field, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return the same for the values of a field or metadata key; the empty text is no value."""
