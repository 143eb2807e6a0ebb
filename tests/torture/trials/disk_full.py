"""R7: the volume of the buffer, or that of the store, has no byte left for a while, under load; then space returns."""

import asyncio
import random
import time

from tests.torture.harness.campaign import under_load
from tests.torture.harness.doors import Told
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.platform import Platform
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.volumes import MemoryVolume, why_no_mounts

RESUMES_SECONDS_MAX = 10.0
GIVEN_UP_SECONDS = 60.0
VOLUMES = {"buffer": ("valkey", 512), "store": ("clickhouse", 512)}
"""Volume → folder of the data folder, size in MiB."""
DRAIN_FAILED = "drain failed"
"""Stands in the log for each block that could not be stored."""
STORE_ENDED = "the disk refused"
"""Stands there for each time that the store had begun to write something, and ended itself."""
FLICKER_SHARE, FLICKER_SECONDS = 0.5, 0.1
"""At first the store has space again and again: a merge that begins then is in the middle of it when there is none."""
LOAD = LoadOptions(senders=12, pause_seconds=0.02, insist_seconds_max=120.0)


def draw(source: random.Random, number: int) -> Fault:
    """Draw a full disk: of the buffer and of the store in turns."""
    target = ("store", "buffer")[number % 2]
    return Fault(number, f"{target} full", target, source.uniform(1.0, 3.0), source.uniform(2.0, 12.0))


def run(plan: Plan) -> Outcome:
    """Fill a disk ``amount`` times."""
    if reason := why_no_mounts():
        return Outcome(skipped=reason)
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    faults = schedule(plan.seed, plan.amount, draw, plan.only)
    platform, struck = Platform(plan.folder), Outcome(hits=unstruck(faults))
    volumes = {name: MemoryVolume(platform.data / folder, size) for name, (folder, size) in VOLUMES.items()}
    try:
        await platform.start()

        async def strike(fault: Fault, load: Load) -> None:
            await _fill(plan, platform, volumes[fault.target], fault, load, struck)

        outcome = await under_load(plan, platform, faults, strike, LOAD)
        code, _ = await asyncio.to_thread(platform.stop)
        if code:
            outcome.problems.append(f"it ended with exit code {code}: {platform.said()[-500:]}")
    finally:
        platform.end()
        for volume in volumes.values():
            volume.close()
    outcome.include(struck, [fault.line() for fault in faults])
    return outcome


async def _fill(plan: Plan, platform: Platform, volume: MemoryVolume, fault: Fault, load: Load, struck: Outcome) -> None:
    """Leave no space, give it back, and wait until an entry is accepted and stored again, by nobody's hand."""
    began, at, said = time.monotonic(), plan.at(), platform.said()
    before, ended = said.count(DRAIN_FAILED), said.count(STORE_ENDED)
    filled = await asyncio.to_thread(volume.fill)
    while fault.target == "store" and time.monotonic() < began + FLICKER_SHARE * fault.seconds:
        volume.free()
        await asyncio.sleep(FLICKER_SECONDS)
        filled += await asyncio.to_thread(volume.fill)
        await asyncio.sleep(FLICKER_SECONDS)
    while time.monotonic() < began + fault.seconds:
        await asyncio.sleep(0.25)
        filled += await asyncio.to_thread(volume.fill)  # what is deleted meanwhile must not help
    if fault.target == "store":
        failed = platform.said().count(DRAIN_FAILED) - before
    else:
        failed = sum(sample.told is not Told.ACCEPTED and sample.begun >= began for sample in load.seen.since(began))
    healed = time.monotonic()
    volume.free()
    while not await asyncio.to_thread(platform.accepts_and_stores):
        if time.monotonic() > healed + GIVEN_UP_SECONDS:
            struck.problems.append(f"fault {fault.number}: nothing is stored {GIVEN_UP_SECONDS:g} s after space is back")
            break
    resumes = round(time.monotonic() - healed, 3)
    struck.samples.setdefault(f"resumes_seconds_{fault.target}", []).append(resumes)
    struck.timeline.append({"at": at, "fault": fault.number, "filled": filled, "failed": failed, "resumes": resumes})
    struck.hits[fault.kind] += failed
    struck.samples.setdefault("store_ended", []).append(platform.said().count(STORE_ENDED) - ended)
    struck.amount += 1


def told(summary: Summary) -> str:
    """Say what was found."""
    texts = [
        f"{target} p50 {summary.percentile(name, 0.5):.1f} s, worst {summary.percentile(name, 1.0):.1f} s"
        for target in VOLUMES
        if (name := f"resumes_seconds_{target}") in summary.samples
    ]
    ended = f"the store ended itself over refused writes {sum(summary.samples.get('store_ended', [])):.0f} times"
    return f"{summary.found()}; {ended}; stored again after {', '.join(texts)}"


def judge(summary: Summary) -> list[str]:
    """Find what resumed late."""
    late = {target: summary.percentile(f"resumes_seconds_{target}", 1.0) for target in VOLUMES}
    return [f"{target}: stored again after {worst:.1f} s" for target, worst in late.items() if worst > RESUMES_SECONDS_MAX]


TRIAL = Trial(
    row="R7",
    fault="disk full on each volume, under load",
    promise="0 acknowledged lost; resumes ≤ 10 s after space returns, no hand",
    unit="full disks",
    wanted=20,
    amounts={"subset": 2, "quick": 2, "full": 4},
    run=run,
    told=told,
    judge=judge,
)
