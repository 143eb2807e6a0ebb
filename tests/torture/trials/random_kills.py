"""R2: SIGKILL at random moments, to any process or to all at once, under load by every door."""

import asyncio
import random
import time

from tests.torture.harness.campaign import under_load
from tests.torture.harness.load import Load
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.platform import Platform
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial

TARGETS = ("ingest", "drain", "api", "valkey", "clickhouse", "up")
READY_P95_SECONDS_MAX = 3.0
STORES_SECONDS_MAX = 60.0


def draw(source: random.Random, number: int) -> Fault:
    """Draw whom to kill: mostly one process, sometimes several at once, sometimes everything."""
    luck = source.random()
    if luck < 0.12:
        kind, targets = "everything", (*TARGETS,)
    elif luck < 0.30:
        kind, targets = "several", tuple(source.sample(TARGETS[:-1], source.choice((2, 3))))
    else:
        target = source.choice(TARGETS)
        kind, targets = target, (target,)
    return Fault(number, kind, "+".join(targets), pause_seconds=source.uniform(0.05, 1.2))


def run(plan: Plan) -> Outcome:
    """Kill ``amount`` times."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    faults = schedule(plan.seed, plan.amount, draw, plan.only)
    platform, struck = Platform(plan.folder), Outcome(hits=unstruck(faults))
    try:
        plan.say(f"{plan.at():8.2f} s  ready after {await platform.start():.2f} s")

        async def strike(fault: Fault, _: Load) -> None:
            await _kill(plan, platform, fault, struck)

        outcome = await under_load(plan, platform, faults, strike)
        code, _ = await asyncio.to_thread(platform.stop)
        if code:
            outcome.problems.append(f"it ended with exit code {code}")
    finally:
        platform.end()
    outcome.include(struck, [fault.line() for fault in faults])
    return outcome


async def _kill(plan: Plan, platform: Platform, fault: Fault, struck: Outcome) -> None:
    begun = time.monotonic()
    at, gone = plan.at(), await platform.kill(tuple(fault.target.split("+")), everyone=fault.kind != "ingest")
    ready = await platform.until_ready(begun, gone)
    while not await asyncio.to_thread(platform.accepts_and_stores):
        if time.monotonic() > begun + ready + STORES_SECONDS_MAX:
            struck.problems.append(f"fault {fault.number}: ready, and nothing is stored {STORES_SECONDS_MAX:g} s later")
            break
    stores = time.monotonic() - begun
    struck.samples.setdefault("ready_seconds", []).append(round(ready, 3))
    struck.samples.setdefault(f"ready_seconds_{fault.kind}", []).append(round(ready, 3))
    struck.samples.setdefault("stores_seconds", []).append(round(stores, 3))
    struck.timeline.append({"at": at, "fault": fault.number, "killed": len(gone), "ready": ready, "stores": stores})
    struck.hits[fault.kind] += bool(gone)
    struck.amount += 1


def told(summary: Summary) -> str:
    """Say what was found."""
    return (
        f"{summary.found()}; ready again "
        f"p50 {summary.percentile('ready_seconds', 0.5):.1f} s, p95 {summary.percentile('ready_seconds', 0.95):.1f} s"
    )


def judge(summary: Summary) -> list[str]:
    """Find a slow recovery."""
    p95 = summary.percentile("ready_seconds", 0.95)
    return [f"ready again p95 {p95:.1f} s"] if p95 > READY_P95_SECONDS_MAX else []


TRIAL = Trial(
    row="R2",
    fault="random SIGKILLs over ingest, drain, api, Valkey, ClickHouse, supervisor, all at once, under load",
    promise="0 lost, 0 double, ready again p95 ≤ 3 s",
    unit="kills",
    wanted=500,
    amounts={"subset": 8, "quick": 20, "full": 25},
    run=run,
    told=told,
    judge=judge,
)
