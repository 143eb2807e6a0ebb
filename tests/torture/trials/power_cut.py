"""R3: the power goes. The platform runs under load on an ext4 image; what is on that disk at one moment is started again.

What the file system still holds in memory is not on the image: it is lost as in a power cut, and what was synced is not. A disk
that loses what it has confirmed is not looked at.
"""

import asyncio
import os
import random
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tests.torture.harness.campaign import conservation
from tests.torture.harness.doors import all_doors
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.oracle import Batch, Oracle, judge
from tests.torture.harness.platform import Platform
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.volumes import ImageVolume, why_no_mounts

IMAGE_MIB = 768
LOAD = LoadOptions(senders=12, pause_seconds=0.02, insist_seconds_max=120.0)
Cut = tuple[Path, dict[int, Batch]]
"""An image, and what senders knew when it was made."""


def run(plan: Plan) -> Outcome:
    """Cut the power ``amount`` times in one run, then start every image."""
    if reason := why_no_mounts(images=True):
        return Outcome(skipped=reason)
    return asyncio.run(_run(plan))


async def _run(plan: Plan) -> Outcome:
    outcome, platform = Outcome(), Platform(plan.folder)
    outcome.hits["power cut"] = 0
    volume = ImageVolume(plan.folder / "disk.img", platform.data, IMAGE_MIB)
    try:
        await platform.start()
        cuts = await _cuts(plan, platform, volume)
        await asyncio.to_thread(platform.stop)
    finally:
        platform.end()
        volume.close()
    for number, (image, batches) in enumerate(cuts):
        await _start_again(plan, number, image, batches, outcome)
    return outcome


async def _cuts(plan: Plan, platform: Platform, volume: ImageVolume) -> list[Cut]:
    """Load, and copy the disk at random moments, at which every process stands still."""
    source, oracle = random.Random(f"{plan.seed} power"), Oracle(plan.folder / "ledger.jsonl")
    load, cuts = Load(oracle, plan.seed, LOAD), list[Cut]()
    doors = all_doors(platform.sender_url, platform.sender_grpc)
    load.start(doors)
    try:
        for number in range(plan.amount):
            await asyncio.sleep(source.uniform(0.5, 6.0))
            pids = [pid for some in (await asyncio.to_thread(platform.processes)).values() for pid in some]
            _signal(pids, signal.SIGSTOP)
            batches = {of: replace(batch) for of, batch in oracle.batches.items()}
            image = plan.folder / f"cut-{number}.img"
            tries = await asyncio.to_thread(volume.cut, image)
            _signal(pids, signal.SIGCONT)
            plan.say(f"{plan.at():8.2f} s  cut {number}: {len(batches)} batches, copy {tries}")
            cuts.append((image, batches))
    finally:
        await load.stop()
        oracle.close()
        for door in doors:
            await door.close()
    return cuts


async def _start_again(plan: Plan, number: int, image: Path, batches: dict[int, Batch], outcome: Outcome) -> None:
    """Mount the image, which replays its journal, start everything on it, and judge."""
    platform = Platform(plan.folder / f"cut-{number}")
    volume = ImageVolume(image, platform.data)
    try:
        ready = await platform.start()
        ledger = await platform.settled()
        verdict = await asyncio.to_thread(lambda: judge(batches, platform.rows()))
        outcome.problems += [f"cut {number}: {text}" for text in (*verdict.problems(), *conservation(ledger, verdict))]
        outcome.counts.update(verdict.counts())
        outcome.samples.setdefault("ready_seconds", []).append(round(ready, 3))
        outcome.timeline.append({"cut": number, "batches": len(batches), "ready": round(ready, 3), **verdict.counts()})
        plan.say(f"{plan.at():8.2f} s  cut {number}: {verdict.counts()}")
        outcome.hits["power cut"] += verdict.sent["sent_acknowledged"] > 0
        outcome.amount += 1
        await asyncio.to_thread(platform.stop)
    except RuntimeError as error:
        outcome.problems.append(f"cut {number}: {error}")
    finally:
        platform.end()
        volume.close()
        await asyncio.to_thread(_forget, image, platform.folder)


def _forget(image: Path, folder: Path) -> None:
    image.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def told(summary: Summary) -> str:
    """Say what was found."""
    return f"{summary.found()}; {summary.counts['sent_acknowledged']:,} acknowledged entries at the moments of the cuts"


TRIAL = Trial(
    row="R3",
    fault="power cut under load: the disk's image at one moment (loop-mounted ext4), mounted and started again",
    promise="50 images, 0 acknowledged lost, 0 double",
    unit="images",
    wanted=50,
    amounts={"subset": 1, "quick": 2, "full": 5},
    run=run,
    told=told,
)
