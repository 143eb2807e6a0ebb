"""The shrinker: from a failure under many faults to one under few, by replaying the seed with half of them, and so on."""

from collections.abc import Callable, Sequence


def shrink(faults: Sequence[int], fails: Callable[[frozenset[int]], bool]) -> list[int]:
    """Return a small part of the faults under which it still fails: none of the pieces tried could be left out.

    Delta debugging: leave out one piece after the other, in ever smaller pieces, and go on with what still fails. The moment at
    which a fault meets the load differs from run to run, so ``fails`` may run a part more than once.
    """
    kept, pieces = list(faults), 2
    while len(kept) > 1:
        size = -(-len(kept) // pieces)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if fails(frozenset(rest)):
                kept, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(pieces * 2, len(kept))
    return kept
