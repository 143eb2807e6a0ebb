"""The patterns of one tenant, by shape: only what may belong together is grouped together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from zero.application.patterns.miner import group_texts, shape_of
from zero.domain.pattern import Pattern

_OVERHEAD_BYTES = 1024  # of a pattern and its places here, beside its texts


class Shelf:
    """Holds patterns by id. Not safe to use from several threads."""

    def __init__(self) -> None:
        self._patterns: dict[int, Pattern] = {}
        self._shapes: dict[int, str] = {}
        self._by_shape: dict[str, set[int]] = defaultdict(set)
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._patterns)

    def __iter__(self) -> Iterator[int]:
        return iter(self._patterns)

    def get(self, identity: int) -> Pattern | None:
        """Return the pattern with that id."""
        return self._patterns.get(identity)

    def put(self, pattern: Pattern) -> None:
        """Add or replace a pattern."""
        if pattern.id not in self._patterns:
            shape, _ = shape_of(pattern.text)
            self._shapes[pattern.id] = shape
            self._by_shape[shape].add(pattern.id)
            self.size_bytes += weight(pattern)
        self._patterns[pattern.id] = pattern

    def drop(self, identity: int) -> None:
        """Let go of a pattern."""
        self.size_bytes -= weight(self._patterns.pop(identity))
        shape = self._shapes.pop(identity)
        self._by_shape[shape].discard(identity)
        if not self._by_shape[shape]:
            del self._by_shape[shape]

    def neighbours(self, identities: Iterable[int]) -> list[list[Pattern]]:
        """Return all patterns of the shapes of these, shape by shape."""
        shapes = {self._shapes[identity] for identity in identities}
        return [[self._patterns[one] for one in self._by_shape[shape]] for shape in sorted(shapes)]


def weight(pattern: Pattern) -> int:
    """Return about how many bytes a pattern takes."""
    return 2 * len(pattern.text) + len(pattern.example) + _OVERHEAD_BYTES


def regroup(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Return those whose group is another one now. A group has the id of its earliest pattern."""
    ordered = sorted(patterns, key=lambda pattern: (pattern.first, pattern.id))
    groups = group_texts([pattern.text for pattern in ordered])
    founders: dict[int, int] = {}
    changed = []
    for pattern, group in zip(ordered, groups.of, strict=True):
        founder = founders.setdefault(group, pattern.id)
        if (pattern.group_id, pattern.group_text) != (founder, groups.texts[group]):
            changed.append(replace(pattern, group_id=founder, group_text=groups.texts[group]))
    return changed
