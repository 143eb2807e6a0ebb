"""A funnel that tenants share: each has a lane for what waits, and while several are active a flush takes a turn of each.

Alone a tenant fills whole flushes. Beside others it puts ``turn_bytes_max`` into each, so that nobody waits for more than two
short flushes, however much one of them sends.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from zero.application.fair_room import FairRoom, FairRoomOptions
from zero.application.funnel import FunnelOptions

T = TypeVar("T")


class FairFunnel(Generic[T]):
    """Two halves of room, as in Funnel; ``flush`` bounds one half. Not for more than one event loop."""

    def __init__(self, flush: FunnelOptions, turn_bytes_max: int, monotonic: Callable[[], float]) -> None:
        self._flush = flush
        self._turn_bytes_max = turn_bytes_max
        room = FairRoomOptions(2 * flush.items_max, 2 * flush.bytes_max)
        self._room = FairRoom("what waits for the buffer", room, monotonic)
        self._flying: dict[str, tuple[int, int]] = {}
        self._waiting = 0

    def add(self, tenant: str, item: T, size_bytes: int, count: int) -> None:
        """Add one item that stands for ``count`` entries. Raises QuotaExceeded or Overloaded, as FairRoom does."""
        self._room.enter(tenant, count, size_bytes).waiting.append((item, count, size_bytes))
        self._waiting += 1

    def take(self) -> list[T]:
        """Return what one flush may hold, each tenant's in order, and mark it in flight; empty while another flush is."""
        if self._flying:
            return []
        taken: list[T] = []
        space = _Space(self._flush.items_max, self._flush.bytes_max)
        turn = self._turn_bytes_max if self._room.active() > 1 else self._flush.bytes_max
        tenants = self._room.tenants
        for tenant, lane in [(tenant, lane) for tenant, lane in tenants.items() if lane.waiting]:
            waiting, count, size_bytes = lane.waiting, space.count, space.bytes
            while waiting and space.takes(waiting[0][1], waiting[0][2], size_bytes, turn):
                taken.append(waiting.popleft()[0])
            if space.count > count:
                self._flying[tenant] = space.count - count, space.bytes - size_bytes
                tenants[tenant] = tenants.pop(tenant)  # behind those that came short, who are first next time
        self._waiting -= len(taken)
        return taken

    def drop(self) -> list[T]:
        """Return everything that waits, and forget it. What is in flight stays."""
        dropped: list[T] = []
        for tenant, lane in self._room.tenants.items():
            while lane.waiting:
                item, count, size_bytes = lane.waiting.popleft()
                self._room.leave(tenant, count, size_bytes)
                dropped.append(item)
        self._waiting = 0
        return dropped

    def done(self) -> None:
        """Say that what is in flight is flushed or given up."""
        for tenant, (count, size_bytes) in self._flying.items():
            self._room.leave(tenant, count, size_bytes)
        self._flying.clear()

    def __len__(self) -> int:
        """Items that were added and not yet taken."""
        return self._waiting


class _Space:
    """What a flush holds so far."""

    def __init__(self, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self.count = 0
        self.bytes = 0

    def takes(self, count: int, size_bytes: int, began_at: int, turn: int) -> bool:
        """Take something in if it fits into the flush, and into the ``turn`` of its lane unless it is the first of that."""
        end = self.bytes + size_bytes
        full = self.count and (self.count + count > self._count_max or end > self._bytes_max)
        if full or (end > began_at + turn and self.bytes > began_at):
            return False
        self.count += count
        self.bytes = end
        return True
