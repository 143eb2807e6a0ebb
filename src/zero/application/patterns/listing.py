"""Listing patterns: which groups a search meets, how often, since when, and how that went over time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zero.application.limits import check_limit
from zero.application.ports import (
    BUCKET_NS,
    Clock,
    Order,
    PatternCount,
    PatternQuery,
    PatternReader,
    PatternTally,
    Scope,
    Steps,
)
from zero.application.search import Search, SearchRequest, instant_of
from zero.domain.entry import Level
from zero.domain.errors import NotFound
from zero.domain.pattern import Pattern, format_pattern_id

LIMIT_MAX = 1000
BUCKETS = 30
_APPS_MAX = 20
_MEMBERS_MAX = 100


@dataclass(frozen=True, slots=True)
class PatternRow:
    """A group of patterns with its counts: by level, the most frequent apps first, and over time (one count a bucket)."""

    counted: PatternCount
    levels: Mapping[Level, int]
    apps: Sequence[str]
    sparkline: Sequence[int]


@dataclass(frozen=True, slots=True)
class PatternPage:
    """The groups in their order; ``sparkline`` covers ``from_ns`` up to ``to_ns`` in steps of ``step_ns``.

    Long windows are counted in whole five minutes: ``from_ns`` may then lie up to five minutes before what was asked for, and
    nothing of that time is counted.
    """

    from_ns: int
    to_ns: int
    step_ns: int
    rows: Sequence[PatternRow]


class PatternSearch:
    """Lists the patterns of one tenant at a time."""

    def __init__(self, search: Search, reader: PatternReader, clock: Clock) -> None:
        self._search = search
        self._reader = reader
        self._clock = clock

    async def find(self, request: SearchRequest, order: Order, limit: int, new_since: str | None = None) -> PatternPage:
        """Return the groups that the request meets. Raises InvalidInput naming the field."""
        check_limit(limit, LIMIT_MAX)
        now_ns = self._clock.now_ns()
        scope = self._search.scope(request, now_ns)
        counted = await self._reader.count(PatternQuery(scope, order, limit, instant_of(new_since, "new_since", now_ns)))
        window = await self._window(scope, now_ns)
        steps, to_ns = _steps(window.from_ns or 0, window.to_ns or 0), window.to_ns or 0
        tallies = await self._reader.tallies(window, [group.id for group in counted], steps)
        by_group: dict[int, list[PatternTally]] = defaultdict(list)
        for tally in tallies:
            by_group[tally.group_id].append(tally)
        bars = max(1, -(-(to_ns - steps.start_ns) // steps.step_ns))
        rows = [_row(group, by_group[group.id], steps, bars) for group in counted]
        return PatternPage(steps.start_ns, to_ns, steps.step_ns, rows)

    async def members(self, tenant: str, group_id: int) -> Sequence[Pattern]:
        """Return the patterns of a group, most frequent first. Raises NotFound."""
        found = await self._reader.members(tenant, group_id, _MEMBERS_MAX)
        if not found:
            raise NotFound(f"there is no pattern {format_pattern_id(group_id)}")
        return found

    async def _window(self, scope: Scope, now_ns: int) -> Scope:
        """Return the scope with both ends: open ones become those of the patterns seen."""
        from_ns, to_ns = scope.from_ns, scope.to_ns
        if from_ns is None or to_ns is None:
            first_ns, last_ns = await self._reader.extent(scope.tenant) or (now_ns, now_ns)
            newest_ns = last_ns + 1 if from_ns is None else max(now_ns, last_ns + 1)
            to_ns = newest_ns if to_ns is None else to_ns
            from_ns = min(first_ns, to_ns) if from_ns is None else from_ns
        return Scope(scope.tenant, scope.query, from_ns, to_ns)


def _steps(from_ns: int, to_ns: int) -> Steps:
    """Return at most BUCKETS of them; those of five minutes and more are whole five minutes, which are counted fastest."""
    step_ns = max(1, -(-(to_ns - from_ns) // BUCKETS))
    if step_ns < BUCKET_NS:
        return Steps(from_ns, step_ns)
    start_ns = from_ns // BUCKET_NS * BUCKET_NS
    return Steps(start_ns, -(-(to_ns - start_ns) // (BUCKETS * BUCKET_NS)) * BUCKET_NS)


def _row(group: PatternCount, tallies: Sequence[PatternTally], steps: Steps, bars: int) -> PatternRow:
    levels: Counter[Level] = Counter()
    apps: Counter[str] = Counter()
    sparkline = [0] * bars
    for tally in tallies:
        levels[tally.level] += tally.count
        apps[tally.app_id] += tally.count
        sparkline[(tally.start_ns - steps.start_ns) // steps.step_ns] += tally.count
    names = sorted(apps, key=lambda app: (-apps[app], app))[:_APPS_MAX]
    return PatternRow(group, dict(sorted(levels.items())), names, sparkline)
