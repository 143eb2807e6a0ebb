"""Patterns in the store: kept in the background by one port, read for one tenant at a time by the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from zero.application.ports.reading import Scope
from zero.domain.entry import Level
from zero.domain.pattern import Pattern

Order = Literal["frequent", "rare", "new"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Entries of a pattern that the catalogue has not: the earliest one found, and the figures of all that were looked at."""

    tenant: str
    id: int
    message: str
    first: tuple[int, int]
    first_seen_ns: int
    last_seen_ns: int
    received_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class PatternFigures:
    """What all stored entries of a pattern say: as in ``Pattern``."""

    first: tuple[int, int]
    first_seen_ns: int
    last_seen_ns: int
    received_ms: int
    count: int


class PatternStore(Protocol):
    """The catalogue of all tenants' patterns. Putting the same again, or from two processes, does no harm.

    Raises StoreUnavailable or StoreHalted.
    """

    async def newest_batch_id(self) -> int:
        """Return the highest batch id stored, 0 when there is none."""

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        """Return up to ``limit`` patterns of entries accepted since, that the catalogue has not; earliest first."""

    async def known(self, since_version: int, limit: int) -> tuple[Sequence[Pattern], int]:
        """Return up to ``limit`` patterns put after the version, oldest version first, and the version of the last one."""

    async def put(self, patterns: Sequence[Pattern]) -> None:
        """Put or replace patterns."""

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        """Count all stored entries by tenant and pattern; those the catalogue has not are left out."""


@dataclass(frozen=True, slots=True)
class PatternQuery:
    """Which groups to list: those with entries in the scope, first seen at ``new_since_ns`` or later when it is given.

    ``group_ids`` (None: any) names the groups that may be in the answer.
    """

    scope: Scope
    order: Order = "frequent"
    limit: int = 100
    new_since_ns: int | None = None
    group_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class PatternCount:
    """A group and its entries within a scope. ``first_seen_ns`` is that of all its entries, the rest that of the scope."""

    id: int
    text: str
    example: str
    count: int
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, slots=True)
class Steps:
    """Stretches of ``step_ns`` that begin at ``start_ns``, one after the other. Whole BUCKET_NS are counted fastest."""

    start_ns: int
    step_ns: int


@dataclass(frozen=True, slots=True)
class PatternTally:
    """Entries of a group with one level and app in the interval that begins at ``start_ns``."""

    group_id: int
    start_ns: int
    level: Level
    app_id: str
    count: int


@dataclass(frozen=True, slots=True)
class PatternSeries:
    """A group's counts in steps of time: absent from the mapping when zero."""

    id: int
    first_seen_ns: int
    counts: Mapping[int, int]


class PatternReader(Protocol):
    """Patterns of one tenant, with counts in a scope. Raises StoreUnavailable, Overloaded or QueryTooExpensive."""

    async def count(self, query: PatternQuery) -> Sequence[PatternCount]:
        """Return the groups in the order asked for."""

    async def tallies(self, scope: Scope, group_ids: Sequence[int], steps: Steps) -> Sequence[PatternTally]:
        """Count the groups' entries by level, app and step."""

    async def series(self, scope: Scope, steps: Steps, limit: int) -> Sequence[PatternSeries]:
        """Count every group's entries by step; the ``limit`` most frequent groups."""

    async def texts(self, tenant: str, group_ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
        """Return what stands for each group: its text, and the message of its earliest entry."""

    async def members(self, tenant: str, group_id: int, limit: int) -> Sequence[Pattern]:
        """Return the patterns of the group that the pattern ``group_id`` belongs to, most frequent first."""

    async def extent(self, tenant: str) -> tuple[int, int] | None:
        """Return the first and last time (Unix nanoseconds) at which a pattern of the tenant was seen; None without any."""
