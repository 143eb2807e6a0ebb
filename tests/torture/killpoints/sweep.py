"""Kill points: one process dies at its n-th side effect, everything goes on, and each row must be there once.

Point *i* is that of variant ``VARIANTS[i % len(VARIANTS)]``; its side effect is chosen by *i* too: the system calls that the
variant makes, which a run without a kill counts, take turns, however many there are of each, and those of one name are chosen
evenly. So a point has the same meaning in every run, and ranges of points add up.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.running import free_port
from tests.integration.servers import embedded_valkey
from tests.torture.killpoints import acts
from tests.torture.killpoints.acts import Place
from tests.torture.killpoints.tracing import ORDER, Stuck, Traced, Tracer

SECONDS_MAX = 120.0
STRIDE = 0.6180339887498949  # of the golden ratio: points spread evenly, however many there are


@dataclass(frozen=True, slots=True)
class Variant:
    """What dies (``drain``, ``store`` or the ``operator`` who replays), and around what.

    ``again``: it has died once at a random point before, so that the kill meets a recovery.
    """

    dies: str
    days: int
    poison: bool = False
    merges: bool = False
    again: bool = False

    @property
    def name(self) -> str:
        """Words for the results."""
        extras = [word for word in ("poison", "merges", "again") if getattr(self, word)]
        return " ".join([self.dies, f"{self.days}d", *extras])


VARIANTS = (
    Variant("drain", 1),
    Variant("drain", 3),
    Variant("drain", 3, poison=True),
    Variant("drain", 3, merges=True),
    Variant("drain", 3, again=True),
    Variant("drain", 1, poison=True, again=True),
    Variant("operator", 3, poison=True),
    Variant("store", 1),
    Variant("store", 3),
    Variant("store", 3, poison=True),
    Variant("store", 3, merges=True),
    Variant("store", 3, again=True),
)


@dataclass(slots=True)
class Point:
    """What became of one point: ``side_effect`` is the number of the ``call``, ``of`` how many there are of it."""

    number: int
    variant: str
    side_effect: int = 0
    of: int = 0
    call: str = ""
    killed_at: str = ""
    problems: list[str] = field(default_factory=list)
    wrong: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    dead_lettered: int = 0


class Sweep:
    """A buffer and a store that outlive every point."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tracer = Tracer()
        self._valkey = embedded_valkey(folder / "buffer").start()
        self._place = Place(self._valkey.url, folder / "store", free_port())
        self._calls: dict[Variant, Counter[str]] = {}
        self._judged: set[int] = set()
        self._store = self._start_store()
        self._do(acts.prepare_store)

    def close(self) -> None:
        """End everything."""
        self._tracer.close()
        self._valkey.close()

    def run(self, number: int) -> Point:
        """Run one point."""
        variant = VARIANTS[number % len(VARIANTS)]
        if variant not in self._calls:
            self._calls[variant] = self._around(Point(number, variant.name), variant)
        point = Point(number, variant.name, *chosen(number // len(VARIANTS), self._calls[variant]))
        self._around(point, variant)
        return point

    def _around(self, point: Point, variant: Variant) -> Counter[str]:
        """Load, strike, heal, judge; return which side effects the victim had, as far as it came."""
        source = random.Random(point.number)
        rows = asyncio.run(acts.append(self._place, source, variant.days, variant.poison))
        merger = self._tracer.start(partial(acts.merge, self._place)) if variant.merges else 0
        try:
            strike = {"drain": self._drain_dies, "operator": self._operator_dies, "store": self._store_dies}[variant.dies]
            seen = strike(point, variant, source)
            self._tracer.kill(merger)
            self._do(acts.drain)
            cured = variant.dies == "operator"
            self._judge(point, rows, cured)
            if cured:
                self._do(acts.refuse_poison)
        except Stuck as error:
            point.problems.append(f"stuck: {error}")
            raise
        finally:
            self._tracer.kill(merger)
        return seen

    def _judge(self, point: Point, rows: acts.Rows, cured: bool) -> None:
        path = self._folder / "verdict.json"
        self._do(partial(acts.judge, rows=rows, cured=cured, others=self._judged, verdict=path))
        self._judged |= {bid for bid, _ in rows}
        verdict = json.loads(path.read_text())
        point.problems += verdict["problems"]
        point.wrong, point.rows, point.dead_lettered = verdict["wrong"], verdict["rows"], verdict["dead_lettered"]

    def _drain_dies(self, point: Point, variant: Variant, source: random.Random) -> Counter[str]:
        if variant.again:
            self._traced(acts.drain, 1 + source.randrange(max(2, self._calls.get(VARIANTS[1], Counter()).total() or 20)))
        return self._strike(point, acts.drain)

    def _operator_dies(self, point: Point, variant: Variant, source: random.Random) -> Counter[str]:
        self._do(acts.drain)
        self._do(acts.take_poison)
        seen = self._strike(point, acts.replay)
        self._do(acts.replay)
        return seen

    def _store_dies(self, point: Point, variant: Variant, source: random.Random) -> Counter[str]:
        tracer, store = self._tracer, self._store
        if variant.again:
            store.arm(1 + source.randrange(300))
        else:
            store.arm(point.side_effect, point.call)
        drain = tracer.start(partial(acts.drain, self._place))
        self._until_over(store, drain)
        if not tracer.ended(store.pid):
            return store.disarm()
        if variant.again:
            store = self._start_store(point, marked=False)
            self._until_over(store, drain)
        point.killed_at = store.killed_at
        if tracer.ended(store.pid):
            self._store = self._start_store()
        seen = store.disarm()
        if point.number % 2:
            tracer.kill(drain)  # everything at once, half of the times
        else:
            tracer.finish(drain, SECONDS_MAX, "a drain whose store was killed")
        return seen

    def _until_over(self, store: Traced, drain: int) -> None:
        """Wait until the store is dead or the buffer empty. A store that was killed is dead a little later."""
        ended = self._tracer.ended
        self._tracer.pump(lambda: ended(store.pid) or (ended(drain) and not store.killed_at), SECONDS_MAX, "an empty buffer")

    def _strike(self, point: Point, act: Callable[[Place], None]) -> Counter[str]:
        victim = self._traced(act, point.side_effect, point.call)
        point.killed_at = victim.killed_at
        return victim.seen

    def _traced(self, act: Callable[[Place], None], kill_at: int, call: str = "") -> Traced:
        victim = self._tracer.start_traced(partial(act, self._place), kill_at, call)
        self._tracer.finish(victim.pid, SECONDS_MAX, f"the {act.__name__}")
        return victim

    def _start_store(self, point: Point | None = None, *, marked: bool = True) -> Traced:
        end = (point.side_effect, point.call) if point else ()
        self._store = store = self._tracer.start_traced(partial(acts.store, self._place), *end)
        if marked:
            self._tracer.pump(lambda: store.marked or self._tracer.ended(store.pid), SECONDS_MAX, "the start of the store")
        return store

    def _do(self, act: Callable[[Place], None]) -> None:
        """Let a child do it to its end."""
        name = getattr(act, "__name__", "judge")
        status = self._tracer.finish(self._tracer.start(partial(act, self._place)), SECONDS_MAX, name)
        if status:
            raise Stuck(f"{name} ended with status {status}")


def chosen(turn: int, calls: Mapping[str, int]) -> tuple[int, int, str]:
    """Return the call whose turn it is among those that were counted: its number, how many there are, its name."""
    names = [name for name in ORDER if calls.get(name)]
    if not names:
        return 1, 1, ""
    name = names[turn % len(names)]
    return 1 + int((turn // len(names) + 0.5) * STRIDE % 1 * calls[name]), calls[name], name


def summary(points: list[Point]) -> Counter[str]:
    """Return what adds up."""
    kinds = Counter(f"killed at {point.killed_at}" for point in points if point.killed_at)
    return kinds + Counter(f"killed: {point.variant}" for point in points if point.killed_at)
