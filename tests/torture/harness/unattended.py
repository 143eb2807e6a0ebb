"""Unattended: part after part of what is missing, one row after the other, until a time; nothing is run twice.

Rows whose times are judged are run alone. Beside the others one processor runs the simulator.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.torture.harness.command import Wish, run_part
from tests.torture.harness.results import FOLDER, number_of, publish, read, timeless
from tests.torture.harness.trial import TRIALS, Trial, trial

SIMULATED = "R9"
# fmt: off
PART_SECONDS = {
    "R1": 360.0, "R2": 120.0, "R3": 150.0, "R4": 300.0, "R5": 450.0, "R6": 300.0, "R7": 110.0, "R8": 160.0,
    "R9": 60.0, "R11": 7500.0, "R12": 120.0, "R13": 150.0,
}
# fmt: on
"""What a part of each row takes, about, as long as no part of it was run."""
MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that is to be run."""

    about: Trial
    seed: int
    amount: int
    seconds: float


def when(text: str, now: datetime) -> datetime:
    """Return the time meant by ``23:30`` (the next one) or ``+90m``, ``+2h``. Raises ValueError."""
    if found := re.fullmatch(r"\+(\d+)([mh])", text):
        return now + timedelta(minutes=int(found[1]) * (60 if found[2] == "h" else 1))
    clock = datetime.strptime(text, "%H:%M")
    meant = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return meant if meant > now else meant + timedelta(days=1)


def run_until(until: float, wish: Wish, say: Callable[[str], None]) -> int:
    """Run what is missing, in turns, as long as a part ends before ``until`` (Unix time); returns how many failed."""
    failed, rows, going = 0, sorted(wish.rows or TRIALS, key=number_of), True
    while going:
        going = False
        for row in tuple(rows):
            part = missing(trial(row))
            if part is None or time.time() + part.seconds > until:
                continue
            with _simulating(part.about, rows, until, wish):
                line = run_part(part.about, part.seed, replace(wish, amount=part.amount), say)
            going = True
            failed += not line["passed"] and not line["skipped"]
            if line["skipped"]:
                rows.remove(row)
            if wish.keep:
                publish()
    return failed


def missing(about: Trial) -> Missing | None:
    """Return the next part of a row, None when there is enough: one whose times say little, else one of a new seed."""
    lines = [line for line in read(FOLDER / f"{about.row}.jsonl") if not line["skipped"]]
    again = [line for line in lines if timeless(line)]
    if sum(line["amount"] for line in lines if line not in again) >= about.wanted:
        return None
    if again:
        seed, amount = again[0]["seed"], again[0]["asked"]
    else:
        taken, sizes = {line["seed"] for line in lines}, Counter(line["asked"] for line in lines)
        # Where seeds are ranges those of parts of another size would overlap.
        amount = sizes.most_common(1)[0][0] if about.ranges and sizes else about.amounts["full"]
        seed = next(number for number in range(1, len(taken) + 2) if number not in taken)
    return Missing(about, seed, amount, MARGIN * _seconds(about, amount, lines))


def _seconds(about: Trial, amount: int, lines: Sequence[dict[str, float]]) -> float:
    """Return how long a part takes when nobody else works: from the quickest one."""
    if not lines:
        return PART_SECONDS[about.row] * amount / about.amounts["full"]
    return min(line["seconds"] / line["asked"] for line in lines) * amount


@contextmanager
def _simulating(about: Trial, rows: Sequence[str], until: float, wish: Wish) -> Iterator[None]:
    """Run parts of the simulator meanwhile, on one processor, beside a part whose times are not judged."""
    if about.timed or about.row == SIMULATED or SIMULATED not in rows:
        yield
        return
    over = threading.Event()

    def simulate() -> None:
        while not over.is_set() and (part := missing(trial(SIMULATED))) and time.time() + 2 * part.seconds < until:
            run_part(part.about, part.seed, replace(wish, amount=part.amount, cores=1), lambda line: None)

    thread = threading.Thread(target=simulate, name="simulator")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
