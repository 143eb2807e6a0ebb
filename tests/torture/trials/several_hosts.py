"""R13: hosts that are killed, switched off and cut off: two of ingest, two of drain, an api, a buffer of three, a store."""

import asyncio
import random
import time

from bench import lan
from bench.lan import MACHINES, SILENCE, Machine
from tests.torture.harness import kernel
from tests.torture.harness.campaign import under_load
from tests.torture.harness.hosts import GRPC, NAMES, Hosts
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.nemesis import Fault, schedule, unstruck
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial

KINDS = ("killed", "switched_off", "unplugged", "mute", "deaf")
"""Processes end and the others are told; the machine is gone without a word and comes back; its line is away; half-open."""
OTHERS = tuple(name for name in NAMES if not name.startswith("drain"))
EACH_DRAIN = 2
HOLDER = "drain"
"""Every second fault is for the drain that holds most leases at the moment."""
ANSWER_TRIES = 10
"""A machine with other work may be late with an answer of the kernel's own."""
MOVED_SECONDS_MAX = 5.0
MOVED_WAIT_SECONDS_MAX = 60.0
LOAD = LoadOptions(senders=6, entries=10, pause_seconds=0.1)


def draw(source: random.Random, number: int) -> Fault:
    """Draw what happens to which host, and for how long."""
    target = HOLDER if number % EACH_DRAIN == 0 else source.choice(OTHERS)
    return Fault(number, source.choice(KINDS), target, source.uniform(0.1, 1.0), source.uniform(1.0, 6.0))


def run(plan: Plan) -> Outcome:
    """Strike ``amount`` times, in namespaces of our own."""
    if why_not := kernel.why_not() or lan.why_not():
        return Outcome(skipped=f"several hosts: {why_not}")
    return kernel.run_inside(plan, __name__, MACHINES)


async def _run(plan: Plan) -> Outcome:
    faults = schedule(plan.seed, plan.amount, draw, plan.only)
    struck = Outcome(hits=unstruck(faults, where=True))
    hosts = Hosts(plan.folder)
    try:
        await hosts.start()
        plan.say(f"{plan.at():8.2f} s  ready")

        async def strike(fault: Fault, _: Load) -> None:
            await _strike(plan, hosts, fault, struck)

        outcome = await under_load(plan, hosts, faults, strike, LOAD)
    finally:
        await hosts.end()
    outcome.include(struck, [fault.line() for fault in faults])
    return outcome


async def _strike(plan: Plan, hosts: Hosts, fault: Fault, struck: Outcome) -> None:
    """Do one fault, see the leases move where it is a drain's, mend it, and wait until everything works."""
    target, held = await hosts.holder() if fault.target == HOLDER else (fault.target, {})
    machine, at, begun = hosts.machines[target], plan.at(), time.monotonic()
    hits = await asyncio.to_thread(_begin, machine, fault.kind)
    moved = await hosts.moved(target, held, begun, MOVED_WAIT_SECONDS_MAX)
    if any(seconds >= MOVED_WAIT_SECONDS_MAX for seconds in moved.values()):
        struck.problems.append(f"fault {fault.number}: shards of {target} were not stored by the other: {moved}")
    await asyncio.sleep(max(0.0, fault.seconds - (time.monotonic() - begun)))
    hits += await asyncio.to_thread(_end, machine, fault.kind)
    if fault.kind in ("killed", "switched_off"):
        await hosts.revive(target)
    whole = await hosts.whole()
    struck.hits[fault.where] += hits
    struck.amount += 1
    struck.samples.setdefault("moved_seconds", []).extend(moved.values())
    struck.samples.setdefault("whole_seconds", []).append(round(whole, 3))
    line = {"at": at, "until": plan.at(), "fault": fault.number, "host": target, "hits": hits, "moved": moved, "whole": whole}
    struck.timeline.append(line)
    plan.say(f"{plan.at():8.2f} s  {target}: {hits} hits, moved {moved}, whole again after {whole:.1f} s")


def _begin(machine: Machine, kind: str) -> int:
    """Begin a fault; return how often it was felt so far: processes that it ended, a host that answered and does not.

    Any port will do: where nobody listens a host that is reached refuses.
    """
    if kind == "killed":
        return machine.kill()
    if kind in SILENCE:
        machine.silence(kind)
        return 0
    before = any(machine.answers(GRPC) for _ in range(ANSWER_TRIES))
    machine.unplug()
    felt = before and not machine.answers(GRPC)
    ended = machine.kill() if kind == "switched_off" else 1
    return ended if felt else 0


def _end(machine: Machine, kind: str) -> int:
    """End it; return how many packets it took where they are counted."""
    if kind in SILENCE:
        return machine.listen()
    if kind != "killed":
        machine.plug()
    return 0


def told(summary: Summary) -> str:
    """Say what was found."""
    moved = f"p50 {summary.percentile('moved_seconds', 0.5):.1f} s, worst {summary.most('moved_seconds'):.1f} s"
    whole = f"p50 {summary.percentile('whole_seconds', 0.5):.1f} s"
    leases = len(summary.samples.get("moved_seconds", []))
    return f"{summary.found()}; {leases} leases moved: {moved}; all hosts whole again {whole}"


def judge(summary: Summary) -> list[str]:
    """Find a lease that moved late."""
    worst = summary.most("moved_seconds")
    return [f"a lease moved after {worst:.1f} s"] if worst > MOVED_SECONDS_MAX else []


TRIAL = Trial(
    row="R13",
    fault="nine hosts: one is killed, switched off, unplugged, or half-open, under load; every second time the drain at work",
    promise="0 lost, 0 double; the other drain's first block of every shard ≤ 5 s after",
    unit="faults",
    wanted=100,
    amounts={"subset": 1, "quick": 6, "full": 20},
    run=run,
    told=told,
    judge=judge,
)


def _inside(plan: Plan) -> Outcome:
    return asyncio.run(_run(plan))


if __name__ == "__main__":
    kernel.serve(_inside)
