"""The timeline of a search: how many entries of each level in each step of time."""

from collections.abc import Sequence
from dataclasses import dataclass

from zero.application.limits import check_limit
from zero.application.ports import Clock, LogReader, Scope, Tally
from zero.application.search import Search, SearchRequest
from zero.domain.instant import NANOSECONDS_PER_SECOND

DAY_NS = 86_400 * NANOSECONDS_PER_SECOND
# Steps people can read off a clock or a calendar.
STEPS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800, 2592000)
BUCKETS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Timeline:
    """Tallies in steps of ``step_seconds`` from ``from_ns`` up to ``to_ns`` (exclusive); empty steps are left out."""

    from_ns: int
    to_ns: int
    step_seconds: int
    tallies: Sequence[Tally]


class TimelineSearch:
    """Counts the entries that a search finds, over time."""

    def __init__(self, search: Search, reader: LogReader, clock: Clock) -> None:
        self._search = search
        self._reader = reader
        self._clock = clock

    async def count(self, request: SearchRequest, buckets: int = 60) -> Timeline:
        """Return the timeline in at most ``buckets`` steps and one. Without times it covers the day that ends now."""
        check_limit(buckets, BUCKETS_MAX, "buckets")
        now_ns = self._clock.now_ns()
        scope = self._search.scope(request, now_ns)
        to_ns = now_ns if scope.to_ns is None else scope.to_ns
        from_ns = max(0, to_ns - DAY_NS) if scope.from_ns is None else scope.from_ns
        step = _step((to_ns - from_ns) / NANOSECONDS_PER_SECOND / buckets)
        tallies = await self._reader.histogram(Scope(scope.tenant, scope.query, from_ns, to_ns), step)
        return Timeline(from_ns, to_ns, step, tallies)


def _step(seconds_min: float) -> int:
    coarsest = STEPS_SECONDS[-1]
    return next((step for step in STEPS_SECONDS if step >= seconds_min), coarsest * (1 + int(seconds_min // coarsest)))
