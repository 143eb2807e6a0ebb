"""The funnel: a bounded double buffer that turns many small adds into few large flushes.

One half fills while the other is being flushed. It is plain data: no waiting, no clock, no threads. Its owner decides when to
take (a linger, the end of an event-loop turn, a full half) and says when a flush is done.

    funnel = Funnel[bytes](FunnelOptions(items_max=20_000, bytes_max=16 * 1024 * 1024))
    funnel.add(body, weight=len(body))  # raises Overloaded once both halves are full
    if not funnel.in_flight:            # one flush at a time
        batch = funnel.take()           # the oldest half; the other goes on filling
        try:
            await append(batch)
        finally:
            funnel.done()               # frees the half that was taken
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from zero.domain.errors import Overloaded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FunnelOptions:
    """Bounds of one half; the funnel holds at most two halves. One item larger than a half travels alone."""

    items_max: int = 20_000
    bytes_max: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.items_max < 1 or self.bytes_max < 1:
            raise ValueError("a funnel half needs room for one item and one byte")


@dataclass(slots=True)
class _Half(Generic[T]):
    items: list[T] = field(default_factory=list)
    count: int = 0
    weight: int = 0


class Funnel(Generic[T]):
    """Two bounded halves: one fills, the other waits to be taken or is in flight."""

    def __init__(self, options: FunnelOptions | None = None) -> None:
        self.options = options or FunnelOptions()
        self._filling: _Half[T] = _Half()
        self._sealed: _Half[T] | None = None
        self._flying: _Half[T] | None = None

    def add(self, item: T, weight: int, count: int = 1) -> None:
        """Add one item of ``weight`` bytes that stands for ``count`` entries. Raises Overloaded when both halves are full."""
        half = self._filling
        if half.items and not self._has_room(half, weight, count):
            if self._sealed or self._flying:
                raise Overloaded("both halves of the funnel are full", retry_after_seconds=1.0)
            self._sealed, half = half, _Half()
            self._filling = half
        half.items.append(item)
        half.count += count
        half.weight += weight

    def take(self) -> list[T]:
        """Return the items of the oldest half, in order, and mark it in flight; empty while another flush is in flight."""
        if self._flying:
            return []
        half, self._sealed = self._sealed or self._filling, None
        if half is self._filling:
            self._filling = _Half()
        self._flying = half if half.items else None
        return half.items

    def done(self) -> None:
        """Say that the half in flight is flushed or given up; its room is free again."""
        self._flying = None

    def clear(self) -> None:
        """Forget everything."""
        self._filling, self._sealed, self._flying = _Half(), None, None

    @property
    def ready(self) -> bool:
        """Whether a half is full: taking now gives as much as one flush may hold."""
        half = self._filling
        return self._sealed is not None or half.count >= self.options.items_max or half.weight >= self.options.bytes_max

    @property
    def in_flight(self) -> bool:
        """Whether a half was taken and is not done."""
        return self._flying is not None

    @property
    def count(self) -> int:
        """Entries that were added and not yet taken."""
        return self._filling.count + (self._sealed.count if self._sealed else 0)

    @property
    def weight(self) -> int:
        """Bytes that were added and not yet taken."""
        return self._filling.weight + (self._sealed.weight if self._sealed else 0)

    def __len__(self) -> int:
        """Items that were added and not yet taken."""
        return len(self._filling.items) + (len(self._sealed.items) if self._sealed else 0)

    def _has_room(self, half: _Half[T], weight: int, count: int) -> bool:
        return half.count + count <= self.options.items_max and half.weight + weight <= self.options.bytes_max
