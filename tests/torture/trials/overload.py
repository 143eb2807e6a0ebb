"""R6: senders that offer five times what the platform can store, for minutes.

What it can store is set by the way to the store (a bandwidth), so that it is known, and the load generator beside it is no part
of it. The same senders first offer little (the latency of an unloaded platform), then a little more than it can store, then
five times what it can.
"""

import asyncio
import sys
import time
from contextlib import suppress
from itertools import pairwise

from tests.torture.harness.campaign import judged, read
from tests.torture.harness.doors import Told, all_doors
from tests.torture.harness.load import Load, LoadOptions, Sample
from tests.torture.harness.oracle import Oracle
from tests.torture.harness.processes import memory_mib
from tests.torture.harness.proxy import CALM, Faults
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.wired import WiredPlatform

BUFFER_BYTES = 64 << 20
STORE_BYTES_PER_SECOND = 250_000
ENTRIES = 200
UNLOADED_SECONDS, CAPACITY_SECONDS = 10.0, 20.0
CAPACITY_OFFERED_RATIO, CAPACITY_GROWTH_MIN, CAPACITY_ROUNDS_MAX = 1.5, 1.1, 6
OVERLOAD_RATIO = 5.0
GOODPUT_MIN = 0.9
SLOWDOWN_MAX = 3.0
MEMORY_MIB_MAX = 200.0
FULL_SECONDS_MAX = 180.0
OFFERED_MIN = 4.0
LOAD = LoadOptions(senders=24, entries=ENTRIES, pause_seconds=1.0, keyed_share=0.3, twice_share=0.0, insist_seconds_max=0.0)


def run(plan: Plan) -> Outcome:
    """Overload for ``amount`` seconds."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    patient = {"ZERO_BUFFER_TIMEOUT_MS": "2000", "ZERO_BUFFER_MEMORY_MAX_BYTES": str(BUFFER_BYTES)}
    small_blocks = (sys.executable, "-m", "tests.torture.harness.small_blocks")  # so that a rate can be told within seconds
    platform = WiredPlatform(plan.folder, small_blocks, **patient)
    oracle, found = Oracle(plan.folder / "ledger.jsonl"), Outcome()
    load = Load(oracle, plan.seed, LOAD)
    try:
        await platform.start()
        doors = all_doors(platform.sender_url, platform.sender_grpc)
        load.start(doors)
        reading = asyncio.create_task(read(platform))
        try:
            await _phases(plan, platform, load, found)
        finally:
            reading.cancel()
            await load.stop()
            oracle.close()
        platform.links["drain-store"].set(CALM)
        outcome = await judged(plan, platform, oracle, load, doors)
    finally:
        await platform.stop()
    outcome.problems += found.problems
    outcome.amount, outcome.hits, outcome.samples, outcome.worst = found.amount, found.hits, found.samples, found.worst
    return outcome


async def _phases(plan: Plan, platform: WiredPlatform, load: Load, found: Outcome) -> None:
    """Little, then as much as it stores, then five times that."""
    began = time.monotonic()
    await asyncio.sleep(UNLOADED_SECONDS)
    unloaded = _p99(_between(load, began, time.monotonic()))
    platform.links["drain-store"].set(Faults(bytes_per_second=STORE_BYTES_PER_SECOND))
    load.pace(0.0)
    await _full(load, found)
    capacity = await _capacity(platform, load)
    load.pace(LOAD.senders * ENTRIES / (OVERLOAD_RATIO * capacity))
    plan.say(f"{plan.at():8.2f} s  unloaded p99 {1e3 * unloaded:.0f} ms, stores {capacity:,.0f} entries/s; now five times that")
    since, watching = time.monotonic(), asyncio.create_task(_watch(platform, found))
    goodput = await _stored_per_second(platform, float(plan.amount))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    samples = _between(load, since, time.monotonic())
    _answers(samples, found)
    offered = len(samples) * ENTRIES / plan.amount / capacity
    found.samples["goodput_ratio"] = [round(goodput / capacity, 3)]
    found.samples["offered_ratio"] = [round(offered, 2)]
    found.samples["slowdown"] = [round(_p99([one for one in samples if one.told is Told.ACCEPTED]) / unloaded, 2)]
    found.hits["overload"] = sum(sample.told is Told.LATER for sample in samples)
    found.amount = plan.amount


async def _capacity(platform: WiredPlatform, load: Load) -> float:
    """Return how many entries a second it stores of a backlog when little more than that is offered.

    Senders that never pause take the processor from the platform beside them, so the first rate is too low: they are slowed
    down to what was found until it no longer grows.
    """
    stored = await _stored_per_second(platform, CAPACITY_SECONDS)
    for _ in range(CAPACITY_ROUNDS_MAX):
        load.pace(LOAD.senders * ENTRIES / (CAPACITY_OFFERED_RATIO * stored))
        before, stored = stored, await _stored_per_second(platform, CAPACITY_SECONDS)
        if stored < CAPACITY_GROWTH_MIN * before:
            return max(before, stored)
    raise RuntimeError(f"no capacity to measure: it still grows after {CAPACITY_ROUNDS_MAX} rounds, to {stored:,.0f} entries/s")


async def _full(load: Load, found: Outcome) -> None:
    """Return once the buffer refuses: from then on what leaves it is what the store takes."""
    until = time.monotonic() + FULL_SECONDS_MAX
    while not load.seen.of(Told.LATER):
        if time.monotonic() > until:
            found.problems.append(f"the buffer is not full after {FULL_SECONDS_MAX:g} s")
            return
        await asyncio.sleep(0.2)


async def _stored_per_second(platform: WiredPlatform, seconds: float) -> float:
    """Return the rate between the first and the last change of what is stored: blocks land one at a time."""
    until, seen = time.monotonic() + seconds, []
    while time.monotonic() < until:
        with suppress(OSError, ValueError):
            seen.append((time.monotonic(), (await asyncio.to_thread(platform.get, "/api/ledger"))["stored"]))
        await asyncio.sleep(0.25)
    landed = [after for before, after in pairwise(seen) if after[1] > before[1]]
    if len(landed) < 2:
        raise RuntimeError("nothing was stored: no rate to measure")
    return float((landed[-1][1] - landed[0][1]) / (landed[-1][0] - landed[0][0]))


async def _watch(platform: WiredPlatform, found: Outcome) -> None:
    while True:
        for name in ("ingest-0", "drain-0"):
            found.worse(f"memory_mib_{name}", memory_mib(platform.pid(name)))
        await asyncio.sleep(1.0)


def _answers(samples: list[Sample], found: Outcome) -> None:
    """Find what is neither accepted nor 429 or 503 with the time to come again."""
    other = [
        one for one in samples if one.told is not Told.ACCEPTED and (one.status not in (429, 503, 8, 14) or not one.retry_after)
    ]
    if other:
        found.problems.append(f"{len(other)} other answers, such as {other[0]}")


def _between(load: Load, since: float, until: float) -> list[Sample]:
    return [sample for sample in load.seen.since(since) if since <= sample.begun and sample.ended <= until]


def _p99(samples: list[Sample]) -> float:
    values = sorted(sample.seconds for sample in samples)
    return values[int(len(values) * 0.99)] if values else 0.0


def told(summary: Summary) -> str:
    """Say what was found."""
    memory = ", ".join(f"{name.rpartition('_')[2]} {value:.0f} MiB" for name, value in sorted(summary.worst.items()))
    offered, goodput = summary.least("offered_ratio"), summary.least("goodput_ratio")
    return (
        f"{summary.found()}; offered {offered:.1f}x; goodput {goodput:.0%} of capacity; p99 of accepted "
        f"{summary.most('slowdown'):.1f}x unloaded; {memory}; only 429 and 503"
    )


def judge(summary: Summary) -> list[str]:
    """Find a collapse."""
    problems = []
    if (offered := summary.least("offered_ratio")) < OFFERED_MIN:
        problems.append(f"only {offered:.1f}x was offered")
    if (goodput := summary.least("goodput_ratio")) < GOODPUT_MIN:
        problems.append(f"goodput {goodput:.0%} of capacity")
    if (slowdown := summary.most("slowdown")) > SLOWDOWN_MAX:
        problems.append(f"p99 of accepted {slowdown:.1f}x unloaded")
    if (memory := max(summary.worst.values(), default=0.0)) > MEMORY_MIB_MAX:
        problems.append(f"memory {memory:.0f} MiB")
    return problems


TRIAL = Trial(
    row="R6",
    fault="5x overload for minutes",
    promise="goodput ≥ 90 % of capacity; p99 of accepted ≤ 3x unloaded; memory bounded; only 429/503",
    unit="seconds",
    wanted=300,
    amounts={"quick": 60, "full": 150},
    run=run,
    told=told,
    judge=judge,
)
