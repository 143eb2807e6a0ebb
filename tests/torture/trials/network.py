"""R8: a network that cuts, hangs, loses replies and crawls, between any two parts; and a store that fails around its commit."""

import asyncio
import random
import sys
import time
from collections.abc import Callable

from tests.torture.harness import kernel
from tests.torture.harness.campaign import under_load
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.proxy import CALM, Faults, Proxy
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.harness.wired import LINKS, WiredPlatform

WAYS = {
    "cut": Faults(),
    "half_open": Faults(half_open=True),
    "refused": Faults(refuse=True),
    "reply_lost": Faults(lose_replies=True),
    "reply_lost_and_cut": Faults(lose_replies=True, cut_after_reply=True),
    "delay": Faults(delay_seconds=0.1),
    "slow": Faults(bytes_per_second=125_000),  # 1 Mbit/s
    "cut_after_bytes": Faults(cut_after_bytes=3_000),
}
FELT = {"reply_lost_and_cut": "reply_lost"}
"""Which hits of a proxy are the fault's own, where they have another name: what it cuts to begin or to end one is no proof."""
HOOKS = {
    "commit_then_cut": {},
    "error_after_commit": {"code": 210},
    "error_before": {"code": 252},
    "store_delay": {"seconds": 2.0},
}
KERNEL = ("loss", "crawl")
"""20 % of the packets of the senders and of the store are lost; the loopback carries 1 Mbit/s. In a namespace of one's own."""
EACH_KERNEL = 5
LOSSY = ("client-ingest", "client-grpc", "drain-store")
LOSS_PERCENT, CRAWL_MBIT = 20, 1
HEALED_SECONDS_MAX = 60.0
FELT_LOOK_SECONDS = 0.05
LOAD = LoadOptions(senders=8, pause_seconds=0.05, insist_seconds_max=60.0)


def draw(source: random.Random, number: int) -> Fault:
    """Draw a way and what it does there, or a fault of the store itself."""
    if number % EACH_KERNEL == EACH_KERNEL - 1:
        return Fault(number, source.choice(KERNEL), "line", source.uniform(0.1, 0.8), source.uniform(2.0, 5.0))
    if source.random() < 0.25:
        return Fault(number, source.choice(list(HOOKS)), "store", source.uniform(0.1, 0.8), 0.0)
    kind, link = source.choice(list(WAYS)), source.choice(LINKS)
    return Fault(number, kind, link, source.uniform(0.1, 0.8), source.uniform(0.3, 4.0))


def sabotage_draw(source: random.Random, number: int) -> Fault:
    """Draw what meets an insert around its commit, each in turn: where a missing protection shows."""
    kind = ("commit_then_cut", "error_after_commit", "error_before")[number % 3]
    return Fault(number, kind, "store", source.uniform(0.1, 0.5))


def run(plan: Plan) -> Outcome:
    """Strike ``amount`` times; in a namespace of our own where that can be had."""
    why_not = "" if plan.sabotage else kernel.why_not()
    if plan.sabotage or why_not:
        plan.say(f"without lost packets: {why_not}" if why_not else "without the kernel's faults")
        return asyncio.run(_run(plan))
    return kernel.run_inside(plan, __name__)


async def _run(plan: Plan) -> Outcome:
    faults = schedule(plan.seed, plan.amount, sabotage_draw if plan.sabotage else draw, plan.only)
    if not kernel.inside():
        faults = [fault for fault in faults if fault.kind not in KERNEL]
    drain = (sys.executable, "-m", "tests.torture.harness.sabotaged_drain", plan.sabotage) if plan.sabotage else ()
    platform, struck = WiredPlatform(plan.folder, drain), Outcome(hits=unstruck(faults, where=True))
    try:
        await platform.start()
        plan.say(f"{plan.at():8.2f} s  ready")

        async def strike(fault: Fault, _: Load) -> None:
            at = plan.at()
            hits = await {"store": _armed, "line": _lined}.get(fault.target, _networked)(platform, fault)
            struck.hits[fault.where] += hits
            struck.timeline.append({"at": at, "until": plan.at(), "fault": fault.number, "hits": hits})
            struck.amount += 1

        outcome = await under_load(plan, platform, faults, strike, LOAD)
    finally:
        await platform.stop()
    outcome.amount, outcome.hits = struck.amount, struck.hits
    outcome.schedule, outcome.timeline = [fault.line() for fault in faults], struck.timeline
    return outcome


async def _networked(platform: WiredPlatform, fault: Fault) -> int:
    return await disturb(platform.links[fault.target], fault)


async def disturb(link: Proxy, fault: Fault) -> int:
    """Let a way go wrong for a while, and on until that was felt; return how often it was."""
    name = FELT.get(fault.kind, fault.kind)
    before = link.hits[name]
    link.set(WAYS[fault.kind])
    if fault.kind in ("cut", "refused", "cut_after_bytes"):
        link.cut()
    await asyncio.sleep(fault.seconds)
    until = time.monotonic() + HEALED_SECONDS_MAX
    while link.hits[name] == before and time.monotonic() < until:
        await asyncio.sleep(FELT_LOOK_SECONDS)
        if fault.kind == "cut":
            link.cut()  # nothing was open so far
    link.set(CALM)
    felt = link.hits[name] - before
    if fault.kind in ("reply_lost", "half_open"):
        link.cut()  # what was lost never comes: a real peer's keepalive ends such a connection too
    return felt


async def _lined(platform: WiredPlatform, fault: Fault) -> int:
    """Lose packets, or carry few, for a while; return how many packets felt it."""
    ends = [platform.links[name].listen for name in LOSSY]
    ports = [platform.ports["embedded_clickhouse"], *(end[1] for end in ends if not isinstance(end, str))]
    if fault.kind == "loss":
        kernel.lose(ports, LOSS_PERCENT)
    else:
        kernel.crawl(CRAWL_MBIT)
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        hits = kernel.heal()
    return hits


async def _armed(platform: WiredPlatform, fault: Fault) -> int:
    """Have the next insert fail; return how often that happened."""
    hooks = platform.hooks()
    before = await asyncio.to_thread(hooks.struck)
    kind = "delay" if fault.kind == "store_delay" else fault.kind
    await asyncio.to_thread(lambda: hooks.arm(kind, **HOOKS[fault.kind]))
    return await _waited(lambda: hooks.struck() - before)


async def _waited(look: Callable[[], int]) -> int:
    """Return what the look finds once it finds something, or 0 when the time is up."""
    until, found = time.monotonic() + HEALED_SECONDS_MAX, 0
    while not found and time.monotonic() < until:
        await asyncio.sleep(FELT_LOOK_SECONDS)
        found = await asyncio.to_thread(look)
    return found


def told(summary: Summary) -> str:
    """Say what was found, and for how many pairs of a fault and a way it is proved that it struck there."""
    pairs = sum(" " in name for name in summary.hits)
    where = f", {pairs} pairs of a fault and a way" if pairs else ""
    return f"{summary.found()}; {summary.hits.total():,} hits{where}"


TRIAL = Trial(
    row="R8",
    fault="network between any two parts: cut, half-open, replies lost, 20 % loss, 1 Mbit/s; a store failing at its commit",
    promise="0 lost, 0 double",
    unit="faults",
    wanted=600,
    amounts={"subset": 10, "quick": 20, "full": 40},
    run=run,
    told=told,
)


def _inside(plan: Plan) -> Outcome:
    kernel.open_line()
    return asyncio.run(_run(plan))


if __name__ == "__main__":
    kernel.serve(_inside)
