"""R11: a steady load for hours: memory, file descriptors and lag stay where they are.

The load is half of what the same senders bring through when they wait for nothing but their answers, measured first: the oracle
and the senders, and what else runs there, share the machine with the platform, which alone takes more.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from statistics import median

from bench.processes import family, role_of
from tests.torture.harness.campaign import judged, read
from tests.torture.harness.doors import Told, all_doors
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.oracle import Oracle
from tests.torture.harness.platform import PROBE_SECONDS_MAX, Platform
from tests.torture.harness.processes import descriptors, memory_mib, slope_per_hour
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial

LOOK_SECONDS = 5.0
PURGE_SQL = "SYSTEM JEMALLOC PURGE"
"""What ClickHouse frees it keeps for seconds to use again, 40 to 130 MiB of it under load: a floor of that is noise of 10 MiB.
So it gives them back before each look, and a slope is of what it holds. What the floors were before is told beside it."""
BEFORE_PURGE = "clickhouse before the purge"
WARM_SHARE = 0.34
"""Caches, pools and the allocator fill up first; what grows after a third of the time is a leak."""
JUDGED_MINUTES_MIN = 60
"""A slope over less says more about the allocator's steps than about leaks: it is told, and not judged."""
SLOPE_MIB_PER_HOUR_MAX = 1.0
DESCRIPTORS_MORE_MAX = 16
LAG_SECONDS_MAX = 2.0
CAPACITY_SHARE, CAPACITY_SECONDS_MAX = 0.2, 60.0
LOAD_SHARE = 0.5
FLOOR_LOOKS = 60
"""Of so many looks (five minutes) the least memory counts: merges and blocks come and go, what leaks stays."""
LOAD = LoadOptions(senders=8, entries=100, pause_seconds=0.0, keyed_share=0.9, twice_share=0.0)
"""So many keys that the buffer has all that it remembers of them (65,536 a shard) before memory is judged."""
HELD_SQL = """
SELECT metric, value / 1048576 FROM system.metrics WHERE metric LIKE '%CacheBytes' AND value > 0
UNION ALL SELECT concat('allocator, ', pair[1]), toUInt64(pair[2]) / 1048576 FROM (
    SELECT arrayJoin(extractAllGroupsVertical(extract(stats, 'Allocated: [^\\n]*'), '([A-Za-z]+): ([0-9]+)')) AS pair
    FROM system.jemalloc_stats)
UNION ALL SELECT 'indexes of parts', sum(primary_key_bytes_in_memory_allocated
    + index_granularity_bytes_in_memory_allocated) / 1048576 FROM system.parts
UNION ALL SELECT if(active, 'parts', 'parts merged away'), toFloat64(count()) FROM system.parts GROUP BY active
"""
"""What ClickHouse holds, in MiB: caches, each with a bound, what its allocator has and has given out; and how many parts."""
HELD_LOOKS = 12
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
        await _halve(plan, load, found)
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
    figures(points, platform.restarts(), found)
    outcome.problems += found.problems
    outcome.amount, outcome.hits, outcome.samples, outcome.worst = plan.amount, found.hits, found.samples, found.worst
    return outcome


async def _halve(plan: Plan, load: Load, found: Outcome) -> None:
    """Find out what the senders bring through, and have them bring half of it from now on."""
    seconds = min(CAPACITY_SECONDS_MAX, CAPACITY_SHARE * plan.amount * 60)
    before = load.seen.of(Told.ACCEPTED)
    await asyncio.sleep(seconds)
    capacity = (load.seen.of(Told.ACCEPTED) - before) * LOAD.entries / seconds
    load.pace(LOAD.senders * LOAD.entries / (LOAD_SHARE * max(capacity, 1.0)))
    found.samples["entries_per_second"] = [round(LOAD_SHARE * capacity)]
    plan.say(f"{plan.at():8.2f} s  {capacity:,.0f} entries/s at most; now half of it for {plan.amount} minutes")


async def _look(platform: Platform, points: Points, found: Outcome) -> None:
    """Measure every process, and how long an entry takes to be searchable."""
    assert platform.process is not None
    now = time.monotonic()
    roles = {pid: role_of(command) for pid, command in family(platform.process.pid).items()}
    for pid in (pid for pid, role in roles.items() if role == "clickhouse"):
        points.setdefault(f"{BEFORE_PURGE}-{pid}", []).append((now, memory_mib(pid), 0))
    await _told(platform, PURGE_SQL, found)
    for pid, role in roles.items():
        points.setdefault(f"{role}-{pid}", []).append((now, memory_mib(pid), descriptors(pid)))
    while not await asyncio.to_thread(platform.accepts_and_stores):
        if time.monotonic() > now + PROBE_SECONDS_MAX:
            found.problems.append(f"an entry was not stored within {time.monotonic() - now:.1f} s")
            break
        await asyncio.sleep(0.1)  # refused, as any sender may be: it comes again, and its lag goes on
    found.samples.setdefault("lag_seconds", []).append(round(time.monotonic() - now, 3))
    if found.hits["looks"] % HELD_LOOKS == 0:
        await _hold(platform, roles, found)
    found.hits["looks"] += 1


async def _hold(platform: Platform, roles: Mapping[int, str], found: Outcome) -> None:
    """Note what makes up the memory of ClickHouse, that which its program takes (and anybody could have) by itself."""
    held = [line.split("\t") for line in (await _told(platform, HELD_SQL, found)).splitlines()]
    held += [["program", str(memory_mib(pid, "RssFile"))] for pid, role in roles.items() if role == "clickhouse"]
    for name, mib in held:
        found.samples.setdefault(f"clickhouse: {name}", []).append(round(float(mib), 1))


async def _told(platform: Platform, sql: str, found: Outcome) -> str:
    """Return what the store answers; nothing, and a problem, when it does not."""
    try:
        return await asyncio.to_thread(platform.ask, sql)
    except OSError as error:
        found.problems.append(f"the store was asked {sql.split()[0]} and did not answer: {error}")
        return ""


def figures(points: Points, restarts: Mapping[str, int], found: Outcome) -> None:
    """Note slope of memory and growth of descriptors of each process, by role.

    A process that is started again before it has a slope would hide what it leaks, so none may be.
    """
    found.problems += [f"{role} was started again, {times} times" for role, times in restarts.items()]
    for name, seen in points.items():
        later = seen[int(len(seen) * WARM_SHARE) :]
        if len(later) < 3:
            continue
        role, some = name.rpartition("-")[0], len(later) // 4 or 1
        floors = _floors(later)
        found.worse(f"slope {role}", slope_per_hour(floors))
        found.samples[f"floors_mib {name}"] = [round(memory, 1) for _, memory in floors]
        files = [open_files for _, _, open_files in later]
        found.worse(f"descriptors {role}", median(files[-some:]) - median(files[:some]))
        found.worse(f"memory {role}", max(memory for _, memory, _ in seen))


def _floors(seen: list[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Return the least memory of each window of looks, and when it was."""
    windows = (seen[start : start + FLOOR_LOOKS] for start in range(0, len(seen), FLOOR_LOOKS))
    return [min(((at, memory) for at, memory, _ in window), key=lambda point: point[1]) for window in windows]


def told(summary: Summary) -> str:
    """Say what was found."""
    slopes = ", ".join(f"{name[6:]} {value:+.1f}" for name, value in sorted(summary.worst.items()) if name.startswith("slope"))
    files = max((value for name, value in summary.worst.items() if name.startswith("descriptors")), default=0)
    lag = f"p50 {summary.percentile('lag_seconds', 0.5):.1f} s, p99 {summary.percentile('lag_seconds', 0.99):.1f} s"
    rate = f"{summary.least('entries_per_second'):,.0f} entries/s"
    return f"{summary.found()}; {rate}; MiB an hour: {slopes}; file descriptors +{files:.0f} at most; lag {lag}"


def judge(summary: Summary) -> list[str]:
    """Find what grows."""
    problems = []
    if summary.amount >= JUDGED_MINUTES_MIN * summary.parts:
        slopes = {name[6:]: value for name, value in summary.worst.items() if name.startswith("slope")}
        steep = {name: value for name, value in slopes.items() if value > SLOPE_MIB_PER_HOUR_MAX and name != BEFORE_PURGE}
        problems += [f"{name} grows {value:.1f} MiB an hour" for name, value in steep.items()]
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
