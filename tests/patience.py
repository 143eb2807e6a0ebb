"""Bounds on time that hold on a machine with other work: a baseline of the same minute, and the best of a few tries."""

import time
from collections.abc import Callable

READY_SECONDS_MAX = 60.0
"""How long a test waits for what has to come, whenever it comes: longer than any stall, and over as soon as it is there."""
TRIES_MAX = 5
SLOWDOWN_MAX = 2.0
NOTICEABLE_SECONDS = 0.1
"""Below this a p99 says more about the scheduler than about us."""


def hardly_noticed(calm: Callable[[], float], attacked: Callable[[], float]) -> None:
    """Fail when what takes ``calm`` seconds takes more than twice as long under attack, in each of a few tries.

    What nobody would notice needs no comparison: the calm is measured only when the first attack was noticed.
    """
    if attacked() <= NOTICEABLE_SECONDS:
        return
    seen = []
    for _ in range(TRIES_MAX - 1):
        quiet, beside = calm(), attacked()
        if beside <= max(SLOWDOWN_MAX * quiet, NOTICEABLE_SECONDS):
            return
        seen.append(f"{beside:.3f} s instead of {quiet:.3f} s")
    raise AssertionError("; ".join(seen))


def best(measure: Callable[[], float]) -> float:
    """Return the least of a few measurements: what is left is not the machine's other work."""
    return min(measure() for _ in range(TRIES_MAX))


def soon(condition: Callable[[], object], what: str = "it did not happen in time") -> None:
    """Return once the condition holds."""
    until = time.monotonic() + READY_SECONDS_MAX
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)
