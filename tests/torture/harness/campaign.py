"""The phases of a run: load, faults, heal, settle with a deadline, judge; and a sign of life last."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from tests.torture.harness.doors import Door, Told
from tests.torture.harness.load import Load, LoadOptions
from tests.torture.harness.nemesis import Fault
from tests.torture.harness.oracle import Oracle, Verdict, judge
from tests.torture.harness.platform import Place
from tests.torture.harness.trial import Outcome, Plan

Strike = Callable[[Fault, Load], Awaitable[None]]
"""Does one fault, waits until it is over, and counts in ``Outcome.hits`` what really happened."""

LOAD_BEFORE_SECONDS = 1.0
ALIVE_SECONDS_MAX = 60.0
READ_SECONDS_MAX, READ_PAUSE_SECONDS = 5.0, 0.2


async def under_load(
    plan: Plan, place: Place, faults: Sequence[Fault], strike: Strike, options: LoadOptions | None = None
) -> Outcome:
    """Load a platform that runs, strike, let it heal, and judge it. ``strike`` writes into the outcome that it closes over."""
    oracle = Oracle(plan.folder / "ledger.jsonl")
    load, doors = Load(oracle, plan.seed, options), place.doors()
    load.start(doors)
    reading = asyncio.create_task(read(place))
    try:
        await asyncio.sleep(LOAD_BEFORE_SECONDS)
        for fault in faults:
            await asyncio.sleep(fault.pause_seconds)
            plan.say(f"{plan.at():8.2f} s  fault {fault.number}: {fault.kind} {fault.target}")
            await strike(fault, load)
    finally:
        reading.cancel()
        await load.stop()
        oracle.close()
    return await judged(plan, place, oracle, load, doors)


async def read(place: Place) -> None:
    """Search while the others write, so that a fault on the way of the api meets somebody; what fails is asked again."""
    while True:
        with suppress(OSError, ValueError):
            await asyncio.to_thread(place.get, "/api/logs?limit=20&q=torture", READ_SECONDS_MAX)
        await asyncio.sleep(READ_PAUSE_SECONDS)


async def alive(place: Place) -> bool:
    """Say whether an entry is accepted and stored, asked a few times: after an overload the first answer may be 429."""
    until = time.monotonic() + ALIVE_SECONDS_MAX
    while not await asyncio.to_thread(place.accepts_and_stores):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(1.0)
    return True


async def judged(plan: Plan, place: Place, oracle: Oracle, load: Load, doors: Iterable[Door]) -> Outcome:
    """Settle, judge by ids and digests and by the ledger of the api, see that the platform lives, and look once more."""
    outcome = Outcome()
    ledger, verdict = await _compared(place, oracle)
    living = await alive(place)
    if await asyncio.to_thread(place.count) != verdict.stored:
        plan.say(f"{plan.at():8.2f} s  rows came after it had settled: judged again")
        ledger, verdict = await _compared(place, oracle)
    outcome.counts.update(verdict.counts())
    outcome.counts.update({f"answers_{told.value.replace(' ', '_')}": load.seen.of(told) for told in Told})
    outcome.problems += verdict.problems() + conservation(ledger, verdict)
    outcome.problems += [f"a wrong answer: {text}" for text in load.seen.wrong[:5]]
    if not load.seen.of(Told.ACCEPTED):
        outcome.problems.append("nothing was accepted: the run proves nothing")
    if not living:
        outcome.problems.append("no sign of life: an entry sent at the end was not accepted and stored")
    for door in doors:
        await door.close()
    plan.say(f"{plan.at():8.2f} s  {dict(verdict.counts())} {outcome.problems or 'as promised'}")
    return outcome


async def _compared(place: Place, oracle: Oracle) -> tuple[dict[str, Any], Verdict]:
    ledger = await place.settled()
    return ledger, await asyncio.to_thread(lambda: judge(oracle.batches, place.rows()))


def conservation(ledger: dict[str, Any], verdict: Verdict, expired: int = 0) -> list[str]:
    """Return what does not add up in ``accepted = stored + dead-lettered + in buffer``, in itself and against what was sent.

    ``expired`` is how many of the entries retention had to remove.
    """
    if ledger.get("error") or ledger["in_buffer"]:
        return [f"it did not settle: {ledger.get('error') or ledger['in_buffer']}"]
    problems = []
    tenant = ledger["tenants"].get("default", dict.fromkeys(("accepted", "stored", "dead_lettered", "rows", "expired"), 0))
    if not ledger["balanced"] or tenant["accepted"] != tenant["stored"] + tenant["dead_lettered"]:
        problems.append(f"the ledger does not balance: {tenant}")
    if ledger["missing"] or tenant["expired"] != expired or tenant["rows"] + expired != tenant["stored"]:
        problems.append(f"the ledger and the store differ: {tenant}")
    if not verdict.stored + expired <= tenant["stored"] <= verdict.stored + expired + PROBES_MAX:
        problems.append(f"the ledger counts {tenant['stored']} stored, we find {verdict.stored} and expect {expired} removed")
    return problems


PROBES_MAX = 10_000
"""Entries that are not judged because trials send them to see whether the platform works."""
