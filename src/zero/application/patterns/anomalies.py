"""Anomalies: patterns that are new, have vanished, or are far off their usual rate in a window of time.

The window is compared with a baseline: up to ``slots`` stretches of the same length right before it. What is usual is the
median of the stretches, and how far counts usually stray from it their median absolute deviation, so that one bad stretch does
not count as usual. Counts stray by chance as well, by about their square root; the score is the distance from the median in
units of both together.
"""

import asyncio
import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from zero.application.limits import check_limit
from zero.application.patterns.listing import LIMIT_MAX
from zero.application.ports import BUCKET_NS, Clock, PatternReader, PatternSeries, Scope, Steps
from zero.application.search import Search, SearchRequest
from zero.domain.errors import InvalidInput
from zero.domain.instant import NANOSECONDS_PER_SECOND

Kind = Literal["new", "vanished", "more", "fewer"]
About = Callable[[str, str, int], Awaitable[Sequence[int]]]
"""Tenant, plain words and a limit → ids of groups that have to do with them, the nearest first."""

_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_SHARE_MAX = 100  # a history shorter than this part of the window says nothing about it


@dataclass(frozen=True, slots=True)
class AnomalyOptions:
    """``slots`` stretches make the baseline, at least ``slots_min``; a score below ``score_min`` is nothing to speak of."""

    slots: int = 24
    slots_min: int = 3
    score_min: float = 3.0
    groups_max: int = 20_000
    about_max: int = 200
    window_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A group and its evidence: entries ``observed`` in the window, ``expected`` by the ``baseline`` (oldest stretch first)."""

    id: int
    text: str
    example: str
    kind: Kind
    observed: int
    expected: float
    score: float
    first_seen_ns: int
    baseline: Sequence[int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found in a window, the strangest first; the baseline reaches from ``baseline_from_ns`` to ``from_ns``."""

    from_ns: int
    to_ns: int
    baseline_from_ns: int
    anomalies: Sequence[Anomaly]


class Anomalies:
    """Compares a window of time with the time before it, for one tenant at a time. ``about`` finds groups by meaning."""

    def __init__(
        self,
        search: Search,
        reader: PatternReader,
        clock: Clock,
        about: About | None = None,
        options: AnomalyOptions | None = None,
    ) -> None:
        self._search = search
        self._reader = reader
        self._clock = clock
        self._about = about
        self._options = options or AnomalyOptions()

    async def find(self, request: SearchRequest, about: str = "", limit: int = 100) -> Comparison:
        """Return the anomalies of the window that the request names, by default the hour that ends now. Raises InvalidInput."""
        check_limit(limit, LIMIT_MAX)
        now_ns = self._clock.now_ns()
        scope = self._search.scope(request, now_ns)
        to_ns = now_ns if scope.to_ns is None else scope.to_ns
        from_ns = (
            max(0, to_ns - self._options.window_seconds * NANOSECONDS_PER_SECOND) if scope.from_ns is None else scope.from_ns
        )
        if from_ns >= to_ns:
            raise InvalidInput("from has to lie before to", field="from")
        wanted = await self._wanted(request.tenant, about)
        first_ns, _ = await self._reader.extent(request.tenant) or (from_ns, from_ns)
        step_ns, slots, until_ns = self._baseline(first_ns, from_ns, to_ns - from_ns)
        baseline_from_ns = until_ns - slots * step_ns
        if not slots or wanted == frozenset():
            return Comparison(from_ns, to_ns, baseline_from_ns, [])
        groups_max, steps = self._options.groups_max, Steps(baseline_from_ns, step_ns)
        before, now = await asyncio.gather(
            self._reader.series(Scope(scope.tenant, scope.query, baseline_from_ns, until_ns), steps, groups_max),
            self._reader.series(Scope(scope.tenant, scope.query, from_ns, to_ns), Steps(from_ns, to_ns - from_ns), groups_max),
        )
        starts_ns = [baseline_from_ns + slot * step_ns for slot in range(slots)]
        observed = {one.id: sum(one.counts.values()) for one in now}
        baselines = {one.id: [one.counts.get(start_ns, 0) for start_ns in starts_ns] for one in before}
        judged = [
            self._judge(one, baselines.get(one.id, [0] * slots), observed.get(one.id, 0), (from_ns, to_ns, step_ns))
            for one in {one.id: one for one in (*before, *now)}.values()
            if wanted is None or one.id in wanted
        ]
        found = sorted((one for one in judged if one), key=lambda one: (-one.score, one.id))[:limit]
        texts = await self._reader.texts(scope.tenant, [one.id for one in found])
        named = [replace(one, text=texts[one.id][0], example=texts[one.id][1]) for one in found if one.id in texts]
        return Comparison(from_ns, to_ns, baseline_from_ns, named)

    async def _wanted(self, tenant: str, about: str) -> frozenset[int] | None:
        if not about.strip():
            return None
        if self._about is None:
            raise InvalidInput("there is no search by meaning here: ask without about", field="about")
        return frozenset(await self._about(tenant, about, self._options.about_max))

    def _baseline(self, first_ns: int, from_ns: int, width_ns: int) -> tuple[int, int, int]:
        """Return length, number and end of the stretches: as long as the window, or shorter where there is little history.

        Those of five minutes and more are whole five minutes, which are counted fastest.
        """
        least, until_ns = self._options.slots_min, from_ns // BUCKET_NS * BUCKET_NS
        if (until_ns - first_ns) // least >= BUCKET_NS <= width_ns:
            step_ns = min(width_ns, (until_ns - first_ns) // least) // BUCKET_NS * BUCKET_NS
        else:
            step_ns, until_ns = min(width_ns, (from_ns - first_ns) // least), from_ns
        if (from_ns - first_ns) * _SHARE_MAX < width_ns or step_ns < 1:
            return width_ns, 0, from_ns
        return step_ns, min(self._options.slots, (until_ns - first_ns) // step_ns), until_ns

    def _judge(
        self, series: PatternSeries, baseline: Sequence[int], observed: int, times_ns: tuple[int, int, int]
    ) -> Anomaly | None:
        """Return the anomaly, yet without its texts, or None; ``times_ns``: the window, and the length of a stretch."""
        from_ns, to_ns, step_ns = times_ns
        stretches = (to_ns - from_ns) / step_ns
        usual = statistics.median(baseline)
        astray = _MAD_TO_DEVIATION * statistics.median(abs(count - usual) for count in baseline)
        expected = usual * stretches
        distance = observed - expected
        score = abs(distance) / math.sqrt((astray * stretches) ** 2 + expected + 1)
        if series.first_seen_ns >= from_ns:
            kind: Kind = "new"
        elif score < self._options.score_min:
            return None
        else:
            kind = "more" if distance > 0 else "fewer" if observed else "vanished"
        return Anomaly(series.id, "", "", kind, observed, expected, score, series.first_seen_ns, baseline)
