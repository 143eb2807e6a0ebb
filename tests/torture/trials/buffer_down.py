"""R4: the buffer refuses connections, or hangs, while senders go on: they hear so at once, and all is well soon after."""

import asyncio
import os
import random
import signal
import time

from tests.torture.harness.campaign import under_load
from tests.torture.harness.doors import Told
from tests.torture.harness.load import Load, LoadOptions, Sample
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.processes import memory_mib
from tests.torture.harness.proxy import CALM, Faults
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.wired import WiredPlatform

ANSWER_P99_SECONDS_MAX = 0.25
MEMORY_MIB_MAX = 64.0
FULL_RATE_SECONDS_MAX = 5.0
FULL_RATE_SHARE = 0.9
HANGS_SECONDS_MAX = 2.5
"""Appends without a key that were on their way wait up to two seconds for a hung buffer (docs/decisions/0141)."""
CALM_SECONDS = 3.0
LOOK_SECONDS = 0.5
UNAVAILABLE = (503, 14)
"""The status of HTTP and of gRPC."""
LOAD = LoadOptions(senders=24, pause_seconds=0.03, keyed_share=0.5, insist_seconds_max=60.0)


def draw(source: random.Random, number: int) -> Fault:
    """Draw an outage: down and hung in turns."""
    return Fault(number, ("down", "hung")[number % 2], "buffer", CALM_SECONDS, source.uniform(4.0, 8.0))


def run(plan: Plan) -> Outcome:
    """Take the buffer away ``amount`` times."""
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    faults = schedule(plan.seed, plan.amount, draw, plan.only)
    platform, struck = WiredPlatform(plan.folder), Outcome(hits=unstruck(faults))
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
    """Take the buffer away for a while; look at every answer, at memory, and at how soon all are accepted again."""
    before, began = _rate(load, time.monotonic() - CALM_SECONDS, time.monotonic()), time.monotonic()
    ingest = platform.pid("ingest-0")
    memory = memory_mib(ingest)
    _take_away(platform, fault)
    await asyncio.sleep(fault.seconds)
    struck.worse("memory_growth_mib", memory_mib(ingest) - memory)
    healed = time.monotonic()
    waiting = hanging(load.seen.waiting(), began, healed)
    _give_back(platform, fault)
    if not before:
        struck.problems.append(f"fault {fault.number}: nothing was accepted before it, so full rate says nothing")
    _answers([sample for sample in load.seen.since(began) if began <= sample.begun < healed - LOOK_SECONDS], fault, struck)
    struck.samples[f"answer_seconds_{fault.kind}"].extend(waiting)
    struck.worse("waiting_seconds", max(waiting, default=0.0))
    while _rate(load, time.monotonic() - LOOK_SECONDS, time.monotonic()) < FULL_RATE_SHARE * before:
        if time.monotonic() > healed + 4 * FULL_RATE_SECONDS_MAX:
            break
        await asyncio.sleep(0.1)
    struck.samples.setdefault("full_rate_seconds", []).append(round(time.monotonic() - healed, 3))
    struck.timeline.append({"fault": fault.number, "kind": fault.kind, "rate_before": before, "memory_mib": memory})
    struck.amount += 1


def hanging(sent: list[float], began: float, healed: float) -> list[float]:
    """Return how long those requests have waited in the outage that were sent early enough to be answered in it.

    ``sent``: when each request left that is still open at the end of the outage.
    """
    return [round(healed - max(at, began), 4) for at in sent if max(at, began) < healed - LOOK_SECONDS]


def _answers(samples: list[Sample], fault: Fault, struck: Outcome) -> None:
    """Note how long each answer of the outage took, and find those that are not what they must be."""
    told = [sample for sample in samples if sample.told is not Told.ACCEPTED]
    struck.hits[fault.kind] += len(told)
    if not told:
        struck.problems.append(f"fault {fault.number} ({fault.kind}): nobody was refused")
    struck.samples.setdefault(f"answer_seconds_{fault.kind}", []).extend(round(sample.seconds, 4) for sample in told)
    for sample in told:
        if sample.status not in UNAVAILABLE or not sample.retry_after:
            struck.problems.append(f"fault {fault.number} ({fault.kind}): {sample}")
            return


def _take_away(platform: WiredPlatform, fault: Fault) -> None:
    if fault.kind == "hung":
        os.kill(platform.pid("buffer"), signal.SIGSTOP)
    else:
        for name in ("ingest-buffer", "drain-buffer"):
            platform.links[name].set(Faults(refuse=True))
            platform.links[name].cut()


def _give_back(platform: WiredPlatform, fault: Fault) -> None:
    if fault.kind == "hung":
        os.kill(platform.pid("buffer"), signal.SIGCONT)
    else:
        for name in ("ingest-buffer", "drain-buffer"):
            platform.links[name].set(CALM)


def _rate(load: Load, since: float, until: float) -> float:
    """Return how many batches a second were accepted."""
    accepted = sum(sample.told is Told.ACCEPTED and sample.ended < until for sample in load.seen.since(since))
    return accepted / (until - since)


def told(summary: Summary) -> str:
    """Say what was found."""
    slowest = summary.most("full_rate_seconds")
    down, hung = (1e3 * summary.percentile(f"answer_seconds_{kind}", 0.99) for kind in ("down", "hung"))
    longest = summary.worst.get("waiting_seconds")
    open_still = "" if longest is None else f", {longest:.1f} s the longest without an answer when it ended"
    return (
        f"{summary.found()}; answered 503 + Retry-After, p99 {down:.0f} ms down, {hung:.0f} ms hung{open_still}; memory "
        f"+{summary.worst.get('memory_growth_mib', 0):.0f} MiB; full rate {slowest:.1f} s after"
    )


def judge(summary: Summary) -> list[str]:
    """Find slow answers, memory, and a slow return."""
    problems = []
    for kind in ("down", "hung"):
        p99 = summary.percentile(f"answer_seconds_{kind}", 0.99)
        if p99 > ANSWER_P99_SECONDS_MAX:
            problems.append(f"answers while the buffer is {kind}: p99 {1e3 * p99:.0f} ms")
    if (longest := summary.worst.get("waiting_seconds", 0.0)) > HANGS_SECONDS_MAX:
        problems.append(f"a request had no answer after {longest:.1f} s of an outage")
    if (growth := summary.worst.get("memory_growth_mib", 0.0)) > MEMORY_MIB_MAX:
        problems.append(f"memory +{growth:.0f} MiB")
    if (slowest := summary.most("full_rate_seconds")) > FULL_RATE_SECONDS_MAX:
        problems.append(f"full rate {slowest:.1f} s after")
    return problems


TRIAL = Trial(
    row="R4",
    fault="buffer down, and buffer hung",
    promise="every request answered 503 + `Retry-After`, p99 ≤ 250 ms; memory +≤ 64 MiB; full rate ≤ 5 s after",
    unit="outages",
    wanted=40,
    amounts={"subset": 2, "quick": 6, "full": 20},
    run=run,
    told=told,
    judge=judge,
)
