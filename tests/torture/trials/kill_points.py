"""R1: SIGKILL at the entry of a system call with a side effect. Part 1 of 60 is points 0 to 59, part 2 60 to 119, and so on."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict

from bench.record import ROOT
from tests.torture.harness.results import Summary
from tests.torture.harness.trial import Outcome, Plan, Trial
from tests.torture.killpoints.sweep import VARIANTS, Point
from tests.torture.killpoints.tracing import why_not


def run(plan: Plan) -> Outcome:
    """Run the points of one part, on one buffer and one store."""
    outcome = Outcome(hits=Counter({variant.dies: 0 for variant in VARIANTS[: plan.amount]}))
    if reason := why_not():
        return Outcome(skipped=reason)
    argv = [sys.executable, "-m", "tests.torture.killpoints", str(plan.folder), str((plan.seed - 1) * plan.amount)]
    done = subprocess.run([*argv, str(plan.amount)], cwd=ROOT, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        _take(outcome, Point(**json.loads(line)))
    if done.returncode:
        outcome.problems.append(f"it ended with {done.returncode} after {len(outcome.schedule)} points: {done.stderr[-4000:]}")
    return outcome


def _take(outcome: Outcome, point: Point) -> None:
    line = asdict(point)
    outcome.schedule.append({"number": point.number, "kind": point.variant, "target": point.side_effect, "call": point.call})
    outcome.timeline.append({name: line[name] for name in ("number", "variant", "side_effect", "of", "call", "killed_at")})
    outcome.hits[point.variant.split()[0]] += bool(point.killed_at)
    outcome.amount += bool(point.killed_at)
    outcome.counts.update({"stored": point.rows - point.dead_lettered, "dead_lettered": point.dead_lettered, **point.wrong})
    outcome.counts.update({f"points {point.variant}": bool(point.killed_at)})
    outcome.counts.update({f"killed at {point.killed_at}": 1} if point.killed_at else {"not reached": 1})
    outcome.problems += [
        f"point {point.number} ({point.variant}, {point.call} {point.side_effect}): {text}" for text in point.problems
    ]


def told(summary: Summary) -> str:
    """Say what was found, and at which calls it was killed."""
    calls = {name.removeprefix("killed at "): n for name, n in summary.counts.items() if name.startswith("killed at ")}
    most = ", ".join(f"{name} {n}" for name, n in sorted(calls.items(), key=lambda item: -item[1]))
    return f"{summary.found()}, {summary.counts['dead_lettered']} dead letters; killed at {most}"


TRIAL = Trial(
    row="R1",
    fault="SIGKILL before a system call with a side effect of the drain or of the store, each kind of call in turns: one and "
    "three partitions a block, with merges, with poison rows, of an operator's replay, and again during recovery",
    promise="≥ 600 points, 0 lost, 0 double, 0 stuck",
    unit="points",
    wanted=600,
    amounts={"subset": 12, "quick": 24, "full": 60},
    run=run,
    told=told,
    ranges=True,
    ledger=False,
)
