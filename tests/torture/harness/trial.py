"""A trial proves one row of the table in docs/reliability.md; it is run in parts, each from a seed."""

import importlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.torture.harness.results import Summary

TRIALS = {
    "R1": "kill_points",
    "R2": "random_kills",
    "R3": "power_cut",
    "R4": "buffer_down",
    "R5": "store_down",
    "R6": "overload",
    "R7": "disk_full",
    "R8": "network",
    "R11": "soak",
    "R9": "simulated_seeds",
    "R12": "stop_under_load",
    "R13": "several_hosts",
}
"""Row → module in ``tests.torture.trials``, which has it as ``TRIAL``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One part of a trial. ``amount`` is in the trial's own unit; ``only`` are the faults that strike (None: all).

    ``sabotage`` names a protection that is taken away, to show that the harness notices. ``cores``: how many processors a part
    may use that uses all of them (0).
    """

    seed: int
    amount: int
    folder: Path
    only: frozenset[int] | None = None
    sabotage: str = ""
    cores: int = 0
    begun: float = field(default_factory=time.monotonic)
    say: Callable[[str], None] = lambda line: None

    def at(self) -> float:
        """Return the seconds since the part began."""
        return round(time.monotonic() - self.begun, 3)


@dataclass(slots=True)
class Outcome:
    """What a part found.

    ``counts`` add up over parts, of ``worst`` the greatest counts, ``samples`` are joined. ``hits`` say how often each kind of
    fault really struck: a part with a kind that did not is no proof, and fails. ``skipped`` is the reason why nothing was done.
    """

    amount: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    schedule: list[dict[str, Any]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    skipped: str = ""

    def include(self, struck: "Outcome", schedule: list[dict[str, Any]]) -> None:
        """Take up what was noted while the faults of the schedule struck."""
        self.problems += struck.problems
        self.samples.update(struck.samples)
        self.worst.update(struck.worst)
        self.amount, self.hits, self.timeline, self.schedule = struck.amount, struck.hits, struck.timeline, schedule

    @property
    def passed(self) -> bool:
        """Whether everything held, and every fault was there."""
        return not self.problems and not self.missed and not self.skipped

    @property
    def missed(self) -> list[str]:
        """The kinds of fault that never struck."""
        return [kind for kind, times in self.hits.items() if not times] if self.hits else ["any"]

    def worse(self, name: str, value: float) -> None:
        """Keep the greatest value under a name."""
        self.worst[name] = round(max(value, self.worst.get(name, 0.0)), 3)


@dataclass(frozen=True, slots=True)
class Trial:
    """One row: what is done to the platform, what must hold, how much of it is a full proof.

    ``amounts`` maps a profile (quick, full) to the amount of one part; parts are run until ``wanted`` is reached (full), or
    once. ``told`` puts the summary of all parts into words for the table; ``judge`` returns what of their times does not hold.
    ``ranges``: a part's seed says which of all points or seeds are run, so that parts of one size follow each other.
    ``ledger``: whether each part that is judged asks ``/api/ledger``.
    """

    row: str
    fault: str
    promise: str
    unit: str
    wanted: int
    amounts: Mapping[str, int]
    run: Callable[[Plan], Outcome]
    told: Callable[["Summary"], str]
    judge: Callable[["Summary"], list[str]] | None = None
    ranges: bool = False
    ledger: bool = True

    @property
    def timed(self) -> bool:
        """Whether times are judged, for which the machine has to be ours."""
        return self.judge is not None


def trial(row: str) -> Trial:
    """Return the trial of a row."""
    found: Trial = importlib.import_module(f"tests.torture.trials.{TRIALS[row]}").TRIAL
    return found
