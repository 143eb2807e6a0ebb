"""R5: the store is away, or slow, for longer than the buffer has room: accepted, then refused, then caught up."""

import asyncio
import time

from tests.torture.harness.campaign import under_load
from tests.torture.harness.doors import Told
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.proxy import CALM, Faults
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.wired import WiredPlatform

BUFFER_BYTES = 64 << 20
FULL_SECONDS_MAX = 120.0
REFUSALS_MIN = 20
CATCHES_UP_SECONDS_MAX = 120.0
DRAINS_RATIO_MIN = 2.0
LOAD = LoadOptions(senders=8, entries=400, pause_seconds=0.0, keyed_share=0.3, twice_share=0.0, insist_seconds_max=0.0)


def run(plan: Plan) -> Outcome:
    """Take the store away ``amount`` times: down and slow in turns."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    def draw(_: object, number: int) -> Fault:
        return Fault(number, ("down", "slow")[(plan.seed + number) % 2], "store", pause_seconds=1.0)

    faults = schedule(plan.seed, plan.amount, draw, plan.only)
    patient = {"ZERO_BUFFER_TIMEOUT_MS": "2000"}  # a slow disk is another row's fault
    platform = WiredPlatform(plan.folder, **patient, ZERO_BUFFER_MEMORY_MAX_BYTES=str(BUFFER_BYTES))
    struck = Outcome(hits=unstruck(faults))
    try:
        await platform.start()

        async def strike(fault: Fault, load: Load) -> None:
            await _outage(platform, fault, load, struck)

        outcome = await under_load(plan, platform, faults, strike, LOAD)
    finally:
        await platform.stop()
    outcome.include(struck, [fault.line() for fault in faults])
    return outcome


async def _outage(platform: WiredPlatform, fault: Fault, load: Load, struck: Outcome) -> None:
    """Fill the buffer until it refuses, give the store back with the senders held, and see how fast it empties."""
    link, hooks = platform.links["drain-store"], platform.hooks()
    if fault.kind == "down":
        link.set(Faults(refuse=True))
        link.cut()
    else:
        await asyncio.to_thread(lambda: hooks.arm("delay", seconds=20.0, times=1000))
    began, refused = time.monotonic(), load.seen.of(Told.LATER)
    while load.seen.of(Told.LATER) < refused + REFUSALS_MIN:
        if time.monotonic() > began + FULL_SECONDS_MAX:
            struck.problems.append(f"fault {fault.number}: not full after {FULL_SECONDS_MAX:g} s")
            break
        await asyncio.sleep(0.1)
    samples = load.seen.since(began)
    first = next((sample.ended for sample in samples if sample.told is Told.LATER), time.monotonic())
    others = [sample for sample in samples if sample.told not in (Told.ACCEPTED, Told.LATER) or _silent(sample)]
    if others:
        struck.problems.append(f"fault {fault.number}: {len(others)} other answers, such as {others[0]}")
    came = sum(sample.told is Told.ACCEPTED and sample.ended <= first for sample in samples) * LOAD.entries / (first - began)
    load.hold()
    link.set(CALM)
    await asyncio.to_thread(hooks.clear)
    drained = await _caught_up(platform, fault, struck)
    load.go_on()
    struck.hits[fault.kind] += load.seen.of(Told.LATER) - refused
    struck.samples.setdefault("drains_ratio", []).append(round(drained / came, 2) if came else 0.0)
    struck.timeline.append({"fault": fault.number, "full_after": first - began, "came": came, "drained": drained})
    struck.amount += 1


def _silent(sample: object) -> bool:
    """Whether a refusal does not say when to come again."""
    return getattr(sample, "told", None) is Told.LATER and not getattr(sample, "retry_after", True)


async def _caught_up(platform: WiredPlatform, fault: Fault, struck: Outcome) -> float:
    """Return how many entries a second left the buffer from the first that did to the last."""
    ledger = await asyncio.to_thread(platform.get, "/api/ledger")
    backlog, began = ledger["in_buffer"], time.monotonic()
    left, started = backlog, began
    while left:
        if left == backlog:
            started = time.monotonic()
        if time.monotonic() > began + CATCHES_UP_SECONDS_MAX:
            struck.problems.append(f"fault {fault.number}: {left} entries still wait after {CATCHES_UP_SECONDS_MAX:g} s")
            break
        await asyncio.sleep(0.1)
        left = (await asyncio.to_thread(platform.get, "/api/ledger"))["in_buffer"]
    struck.samples.setdefault("resumes_seconds", []).append(round(started - began, 2))
    return float((backlog - left) / max(time.monotonic() - started, 0.1))


def told(summary: Summary) -> str:
    """Say what was found."""
    return (
        f"{summary.found()}; {summary.hits.total():,} refusals, each 429 + Retry-After; backlog drained at "
        f"{summary.least('drains_ratio'):.1f}x the rate it came, at least, "
        f"{summary.most('resumes_seconds'):.1f} s after the store was back, at most"
    )


def judge(summary: Summary) -> list[str]:
    """Find a backlog that drains slowly."""
    least = summary.least("drains_ratio")
    return [f"the backlog drained at {least:.1f}x the rate it came"] if least < DRAINS_RATIO_MIN else []


TRIAL = Trial(
    row="R5",
    fault="store down, and store slow (20 s an insert), for longer than the buffer has room",
    promise="accepted until the high-water mark, then 429; backlog drains at ≥ 2 x the rate it came",
    unit="outages",
    wanted=10,
    amounts={"subset": 1, "quick": 2, "full": 5},
    run=run,
    told=told,
    judge=judge,
)
