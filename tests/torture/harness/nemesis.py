"""The nemesis: a schedule of faults made from a seed, so that the same seed tries the same things again."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: what, to whom, how long after the one before it was over, and for how long where it lasts."""

    number: int
    kind: str
    target: str
    pause_seconds: float
    seconds: float = 0.0

    @property
    def where(self) -> str:
        """What, and where: it has to be seen to strike there."""
        return f"{self.kind} {self.target}"

    def line(self) -> dict[str, Any]:
        """Return it for a result."""
        return asdict(self)


Draw = Callable[[random.Random, int], Fault]
"""Draws the fault of a number."""


def schedule(seed: int, count: int, draw: Draw, only: frozenset[int] | None = None) -> list[Fault]:
    """Return the faults of a seed; ``only`` leaves others out without changing those that stay."""
    faults = [draw(random.Random(f"{seed} fault {number}"), number) for number in range(count)]
    return [fault for fault in faults if only is None or fault.number in only]


def unstruck(faults: Sequence[Fault], where: bool = False) -> Counter[str]:
    """Return the kinds that have to be seen to strike (each ``where`` it is meant to), none of which has yet."""
    return Counter({fault.where if where else fault.kind: 0 for fault in faults})
