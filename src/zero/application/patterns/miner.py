"""Grouping masked texts: what differs only in free words belongs together."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Groups:
    """``of[i]`` is the number of the group of text ``i``; ``texts`` holds each group's text, ``<*>`` where members differ."""

    of: Sequence[int]
    texts: Sequence[str]


def group_texts(texts: Sequence[str]) -> Groups:
    """Return the groups of distinct texts; they follow from the set of texts, not from their order."""
    numbers: dict[str, int] = {}
    return Groups([numbers.setdefault(text, len(numbers)) for text in texts], list(numbers))
