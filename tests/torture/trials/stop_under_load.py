"""R12: SIGTERM under load: ``zero up`` ends in time, has to kill nobody, and what was acknowledged is in the store at last."""

import asyncio
import random
import time

from tests.torture.harness.campaign import judged
from tests.torture.harness.doors import all_doors
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.oracle import Oracle
from tests.torture.harness.platform import Platform
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial

STOP_SECONDS_MAX = 10.0
LOAD = LoadOptions(senders=16, pause_seconds=0.0, insist_seconds_max=60.0)


def run(plan: Plan) -> Outcome:
    """Stop ``amount`` times, start again, judge at the end."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    moments = random.Random(f"{plan.seed} stops")
    platform, found = Platform(plan.folder), Outcome()
    oracle = Oracle(plan.folder / "ledger.jsonl")
    load, doors = Load(oracle, plan.seed, LOAD), all_doors(platform.sender_url, platform.sender_grpc)
    try:
        await platform.start()
        load.start(doors)
        for number in range(plan.amount):
            await asyncio.sleep(moments.uniform(0.5, 3.0))
            before = load.seen.answers.total()
            code, seconds = await asyncio.to_thread(platform.stop)
            plan.say(f"{plan.at():8.2f} s  stop {number}: exit code {code} after {seconds:.2f} s")
            found.amount += 1
            found.hits["stop under load"] += before > 0 and code == 0
            found.samples.setdefault("stop_seconds", []).append(round(seconds, 3))
            if code:
                found.problems.append(f"stop {number}: exit code {code} after {seconds:.1f} s")
            began = time.monotonic()
            platform.launch()
            await platform.until_ready(began, frozenset())
        await load.stop()
        oracle.close()
        outcome = await judged(plan, platform, oracle, load, doors)
    finally:
        platform.end()
    outcome.problems += found.problems
    outcome.amount, outcome.hits, outcome.samples = found.amount, found.hits, found.samples
    return outcome


def told(summary: Summary) -> str:
    """Say what was found."""
    return f"{summary.found()}; stopped within {summary.most('stop_seconds'):.1f} s, exit code 0"


def judge(summary: Summary) -> list[str]:
    """Find a slow stop."""
    slowest = summary.most("stop_seconds")
    return [f"a stop took {slowest:.1f} s"] if slowest > STOP_SECONDS_MAX else []


TRIAL = Trial(
    row="R12",
    fault="SIGTERM under load",
    promise="drained and exited 0 within 10 s, 0 lost",
    unit="stops",
    wanted=50,
    amounts={"subset": 1, "quick": 4, "full": 10},
    run=run,
    told=told,
    judge=judge,
)
