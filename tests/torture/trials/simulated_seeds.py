"""R9: seeds of the simulator. A part is a range of seeds: part 1 is 0 to 4,999, part 2 is 5,000 to 9,999, and so on."""

import multiprocessing
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.simulator.scenario import run_seed

CHUNK = 100
FAULTS = ("drain_failed", "lease_lost", "verify", "dead_lettered", "admin_act")
"""Events that only a fault, or an operator, brings about."""


def run(plan: Plan) -> Outcome:
    """Run the seeds of one part on every core."""
    first, last = (plan.seed - 1) * plan.amount, plan.seed * plan.amount
    outcome, begun = Outcome(hits=Counter(dict.fromkeys(FAULTS, 0))), time.perf_counter()
    chunks = [range(at, min(at + CHUNK, last)) for at in range(first, last, CHUNK)]
    with ProcessPoolExecutor(plan.cores or os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for problems, counts, events in pool.map(chunk, chunks):
            outcome.problems += problems
            outcome.counts.update(counts)
            outcome.hits.update({name: events[name] for name in FAULTS})
    outcome.amount = plan.amount
    outcome.schedule = [{"number": 0, "first": first, "last": last - 1}]
    outcome.samples["seeds_per_second"] = [round(plan.amount / (time.perf_counter() - begun), 1)]
    return outcome


def chunk(seeds: range) -> tuple[list[str], Counter[str], Counter[str]]:
    """Return what went wrong in some seeds, how much there was, and what happened."""
    problems: list[str] = []
    counts, events = Counter[str](), Counter[str]()
    for seed in seeds:
        verdict = run_seed(seed)
        counts.update({"rows": verdict.rows, "steps": verdict.steps})
        events.update(dict(verdict.events))
        if verdict.problems:
            problems.append(f"python -m tests.torture.simulator --seed {seed}: {'; '.join(verdict.problems[:3])}")
    return problems, counts, events


def told(summary: Summary) -> str:
    """Say how much was simulated."""
    speed = summary.percentile("seeds_per_second", 0.5)
    return f"{summary.counts['rows']:,} rows, {summary.counts['steps']:,} steps, {speed:.0f} seeds a second"


TRIAL = Trial(
    row="R9",
    fault="the drain in a simulator: lost requests and answers, kills, stops, partial inserts, operators",
    promise="10⁶ seeds, 0 broken invariants",
    unit="seeds",
    wanted=1_000_000,
    amounts={"subset": 200, "quick": 5_000, "full": 5_000},
    run=run,
    told=told,
    ranges=True,
    ledger=False,
)
