"""What ``zero torture`` does: runs parts of trials, keeps their results, prints the table; or shrinks a failure."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.harness.machine import used_share
from tests.torture.harness.results import FOLDER, PAGE, as_line, keep, number_of, publish, read, summed, table, table_line
from tests.torture.harness.shrink import shrink
from tests.torture.harness.trial import TRIALS, Outcome, Plan, Trial, trial

SHRINK_TRIES = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. ``amount`` 0 is that of the profile; ``parts`` 0 as many as the profile wants.

    ``cores`` are for what would take all of them.
    """

    profile: str = "quick"
    rows: Sequence[str] = ()
    seed: int = 1
    amount: int = 0
    parts: int = 0
    as_json: bool = False
    keep: bool = True
    cores: int = 0


def run(wish: Wish, say: Callable[[str], None]) -> int:
    """Run what was asked for; return how many parts failed."""
    failed = 0
    for row in wish.rows or sorted(TRIALS, key=number_of):
        about = trial(row)
        lines = [run_part(about, seed, wish, say) for seed in range(wish.seed, wish.seed + _parts(about, wish))]
        failed += sum(not line["passed"] and not line["skipped"] for line in lines)
        say(table_line(about, summed(lines)))
    if wish.keep:
        publish()
        say(f"results: {FOLDER}, table: {PAGE}")
    return failed


def run_part(about: Trial, seed: int, wish: Wish, say: Callable[[str], None]) -> dict[str, Any]:
    """Run one part in a folder of its own, keep its line and return it."""
    amount = wish.amount or about.amounts[wish.profile]
    say(f"{about.row} seed {seed}: {amount} {about.unit}")
    with tempfile.TemporaryDirectory(prefix="zero-torture-") as folder:
        others = [used_share() if about.timed else None]
        plan = Plan(seed, amount, Path(folder), cores=wish.cores, say=(lambda line: None) if wish.as_json else say)
        line = as_line(plan, about, guarded(about, plan))
        others.append(used_share() if about.timed else None)
    line["others_share"] = max((share for share in others if share is not None), default=None)
    if wish.as_json:
        print(json.dumps(line), flush=True)
    for problem in line["problems"] + [f"{kind} never struck" for kind in line["missed"]]:
        say(f"{about.row} seed {seed}: {problem}")
    if wish.keep:
        keep(line)
    return line


def guarded(about: Trial, plan: Plan) -> Outcome:
    """Run a part; what it raises is a failure of its own."""
    try:
        return about.run(plan)
    except Exception as error:
        return Outcome(problems=[f"{type(error).__name__}: {error}"])


def shrunk(path: Path, seed: int, say: Callable[[str], None]) -> list[int]:
    """Return a small part of the faults of a failed line (the last of the file, or that of ``seed``) that still fails."""
    lines = [line for line in read(path) if not line["passed"] and (not seed or line["seed"] == seed)]
    if not lines:
        raise RuntimeError(f"{path} has no failed part{f' of seed {seed}' if seed else ''}")
    line = lines[-1]
    about = trial(line["row"])

    def fails(only: frozenset[int]) -> bool:
        return any(_fails_once(about, line, only, say) for _ in range(SHRINK_TRIES))

    return shrink([fault["number"] for fault in line["schedule"]], fails)


def _fails_once(about: Trial, line: dict[str, Any], only: frozenset[int], say: Callable[[str], None]) -> bool:
    with tempfile.TemporaryDirectory(prefix="zero-torture-") as folder:
        outcome = guarded(about, Plan(line["seed"], line["asked"], Path(folder), only))
    say(f"seed {line['seed']} with the faults {sorted(only)}: {'; '.join(outcome.problems) or 'passes'}")
    return bool(outcome.problems)


def _parts(about: Trial, wish: Wish) -> int:
    if wish.parts:
        return wish.parts
    if wish.profile != "full":
        return 1
    return -(-about.wanted // (wish.amount or about.amounts["full"]))


def shown() -> str:
    """Return the table of what was kept."""
    return table()
