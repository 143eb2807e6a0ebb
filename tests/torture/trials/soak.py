"""R11: a steady load for hours: memory, file descriptors and lag stay where they are."""

import asyncio
import random
import time

from bench.processes import family, role_of
from tests.torture.harness.campaign import judged, read
from tests.torture.harness.doors import all_doors
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.oracle import Oracle
from tests.torture.harness.platform import Platform
from tests.torture.harness.processes import descriptors, memory_mib, slope_per_hour
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial

LOOK_SECONDS = 5.0
WARM_SHARE = 0.34
"""Caches, pools and the allocator fill up first; what grows after a third of the time is a leak."""
JUDGED_MINUTES_MIN = 60
"""A slope over less says more about the allocator's steps than about leaks: it is told, and not judged."""
SLOPE_MIB_PER_HOUR_MAX = 1.0
DESCRIPTORS_MORE_MAX = 16
LAG_SECONDS_MAX = 2.0
LOAD = LoadOptions(senders=8, entries=50, pause_seconds=0.1, keyed_share=0.3)
Points = dict[str, list[tuple[float, float, float]]]


def run(plan: Plan) -> Outcome:
    """Load for ``amount`` minutes."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    platform, found, points = Platform(plan.folder), Outcome(), Points()
    oracle = Oracle(plan.folder / "ledger.jsonl")
    load = Load(oracle, plan.seed, LOAD)
    try:
        await platform.start()
        doors = all_doors(platform.sender_url, platform.sender_grpc)
        load.start(doors)
        reading = asyncio.create_task(read(platform))
        until = time.monotonic() + plan.amount * 60
        while time.monotonic() < until:
            await _look(platform, points, found)
            await asyncio.sleep(LOOK_SECONDS * random.Random(plan.seed).uniform(0.9, 1.1))
        reading.cancel()
        await load.stop()
        oracle.close()
        outcome = await judged(plan, platform, oracle, load, doors)
    finally:
        platform.end()
    _figures(points, found)
    outcome.problems += found.problems
    outcome.amount, outcome.hits, outcome.samples, outcome.worst = plan.amount, found.hits, found.samples, found.worst
    return outcome


async def _look(platform: Platform, points: Points, found: Outcome) -> None:
    """Measure every process, and how long an entry takes to be searchable."""
    assert platform.process is not None
    now = time.monotonic()
    for pid, command in family(platform.process.pid).items():
        points.setdefault(f"{role_of(command)}-{pid}", []).append((now, memory_mib(pid), descriptors(pid)))
    stored = await asyncio.to_thread(platform.accepts_and_stores)
    if not stored:
        found.problems.append(f"an entry was not stored within {time.monotonic() - now:.1f} s")
    found.samples.setdefault("lag_seconds", []).append(round(time.monotonic() - now, 3))
    found.hits["looks"] += 1


def _figures(points: Points, found: Outcome) -> None:
    """Note slope of memory and growth of descriptors of each process, by role."""
    for name, seen in points.items():
        later = seen[int(len(seen) * WARM_SHARE) :]
        if len(later) < 3:
            continue
        role = name.rpartition("-")[0]
        found.worse(f"slope {role}", slope_per_hour([(at, memory) for at, memory, _ in later]))
        found.worse(f"descriptors {role}", later[-1][2] - later[0][2])
        found.worse(f"memory {role}", max(memory for _, memory, _ in seen))


def told(summary: Summary) -> str:
    """Say what was found."""
    slopes = ", ".join(f"{name[6:]} {value:+.1f}" for name, value in sorted(summary.worst.items()) if name.startswith("slope"))
    files = max((value for name, value in summary.worst.items() if name.startswith("descriptors")), default=0)
    return (
        f"{summary.found()}; MiB an hour: {slopes}; file descriptors +{files:.0f} at most; lag p50 "
        f"{summary.percentile('lag_seconds', 0.5):.1f} s, p99 {summary.percentile('lag_seconds', 0.99):.1f} s"
    )


def judge(summary: Summary) -> list[str]:
    """Find what grows."""
    problems = []
    if summary.amount >= JUDGED_MINUTES_MIN * summary.parts:
        steep = {name[6:]: value for name, value in summary.worst.items() if name.startswith("slope")}
        problems += [f"{name} grows {value:.1f} MiB an hour" for name, value in steep.items() if value > SLOPE_MIB_PER_HOUR_MAX]
    for name, value in summary.worst.items():
        if name.startswith("descriptors") and value > DESCRIPTORS_MORE_MAX:
            problems.append(f"{name}: {value:+.0f}")
    if (lag := summary.percentile("lag_seconds", 0.99)) > LAG_SECONDS_MAX:
        problems.append(f"lag p99 {lag:.1f} s")
    return problems


TRIAL = Trial(
    row="R11",
    fault="two-hour soak at half load",
    promise="memory slope ≤ 1 MiB/h per process, file descriptors flat, lag ≤ 2 s",
    unit="minutes",
    wanted=120,
    amounts={"subset": 1, "quick": 5, "full": 120},
    run=run,
    told=told,
    judge=judge,
)
