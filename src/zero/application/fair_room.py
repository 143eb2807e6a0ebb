"""Room that tenants share: one that floods is refused, and the others still find room.

Whoever is alone may have 7/8 of it. While ``n`` tenants are active, the first half is for whoever comes first; after that only
those get more who have less than ``1/(n+1)`` of a half. So there is always some left for one who comes now.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zero.domain.errors import Overloaded, QuotaExceeded

_ALONE_NUMERATOR, _ALONE_DENOMINATOR = 7, 8


@dataclass(frozen=True, slots=True)
class FairRoomOptions:
    """Bounds of all tenants together. One thing larger than a tenant's share is let in when its tenant has nothing in there.

    A tenant is active for ``active_seconds`` to twice that after it came in last.
    """

    count_max: int
    bytes_max: int
    active_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.count_max < 1 or self.bytes_max < 1:
            raise ValueError("a room needs space for one thing and one byte")


class Tenancy:
    """What one tenant has in the room. ``seen``: something came in lately. ``waiting`` is a queue for the room's owner."""

    __slots__ = ("bytes", "count", "seen", "waiting")

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self.seen = True
        self.waiting: deque[Any] = deque()


class FairRoom:
    """Counts what is in the room, for each tenant; a tenant that is neither active nor in there is forgotten.

    ``tenants`` may be put into another order by the owner. ``name`` is for people.
    """

    def __init__(self, name: str, options: FairRoomOptions, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._options = options
        self._half_count, self._half_bytes = options.count_max // 2, options.bytes_max // 2
        self._monotonic = monotonic
        self._turned_at = monotonic()
        self.tenants: dict[str, Tenancy] = {}
        self.count = 0
        self.bytes = 0

    def enter(self, tenant: str, count: int, size_bytes: int) -> Tenancy:
        """Let something in. Raises QuotaExceeded when the tenant has more than its share, Overloaded when there is no room."""
        held = self.tenants.get(tenant)
        if held is None:
            self.active()
            held = self.tenants[tenant] = Tenancy()
        total_count, total_bytes = self.count + count, self.bytes + size_bytes
        if total_count > self._half_count or total_bytes > self._half_bytes:
            self._check(held, count, size_bytes)
        held.seen = True
        held.count += count
        held.bytes += size_bytes
        self.count = total_count
        self.bytes = total_bytes
        return held

    def leave(self, tenant: str, count: int, size_bytes: int) -> None:
        """Give back the room of something that ``enter`` let in."""
        held = self.tenants[tenant]
        held.count -= count
        held.bytes -= size_bytes
        self.count -= count
        self.bytes -= size_bytes

    def active(self) -> int:
        """Return how many tenants are in the room or came in of late."""
        elapsed = self._monotonic() - self._turned_at
        if elapsed >= self._options.active_seconds:
            self._turned_at += elapsed
            for tenant, held in list(self.tenants.items()):
                if not held.count and (not held.seen or elapsed >= 2 * self._options.active_seconds):
                    del self.tenants[tenant]
                held.seen = False
        return len(self.tenants)

    def _check(self, held: Tenancy, count: int, size_bytes: int) -> None:
        options, active = self._options, self.active()
        part, whole = (_ALONE_NUMERATOR, _ALONE_DENOMINATOR) if active <= 1 else (1, 2 * (active + 1))
        if held.count or held.bytes:
            fits = whole * (held.count + count) <= part * options.count_max
            if not fits or whole * (held.bytes + size_bytes) > part * options.bytes_max:
                if active <= 1:
                    raise Overloaded(f"{self._name}: full", retry_after_seconds=1.0)
                raise QuotaExceeded(f"{self._name}: the share of one tenant of {active} is used up", limit="share")
        if self.count and (self.count + count > options.count_max or self.bytes + size_bytes > options.bytes_max):
            raise Overloaded(f"{self._name}: full", retry_after_seconds=1.0)
