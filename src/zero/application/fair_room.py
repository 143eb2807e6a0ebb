"""Room that tenants share: one that floods is refused, and the others still find room.

Whoever is alone may have 7/8 of it. While ``n`` tenants are active, the first half is for whoever comes first; after that only
those get more who have less than ``1/(n+1)`` of a half. So there is always some left for one who comes now.
"""

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(slots=True)
class Tenancy:
    """What one tenant has in the room."""

    count: int = 0
    bytes: int = 0


class FairRoom:
    """Counts what is in the room, for each tenant; a tenant without anything in it is forgotten. ``name`` is for people."""

    def __init__(self, name: str, options: FairRoomOptions, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._options = options
        self._monotonic = monotonic
        self._tenants: dict[str, Tenancy] = {}
        self._recent: set[str] = set()
        self._former: set[str] = set()
        self._turned_at = monotonic()
        self.count = 0
        self.bytes = 0

    def enter(self, tenant: str, count: int, size_bytes: int) -> None:
        """Let something in. Raises QuotaExceeded when the tenant has more than its share, Overloaded when there is no room."""
        options = self._options
        self._recent.add(tenant)
        held = self._tenants.get(tenant)
        if 2 * (self.count + count) > options.count_max or 2 * (self.bytes + size_bytes) > options.bytes_max:
            self._check(held or Tenancy(), count, size_bytes)
        if held is None:
            held = self._tenants[tenant] = Tenancy()
        held.count += count
        held.bytes += size_bytes
        self.count += count
        self.bytes += size_bytes

    def leave(self, tenant: str, count: int, size_bytes: int) -> None:
        """Say that something which was let in has gone."""
        held = self._tenants[tenant]
        held.count -= count
        held.bytes -= size_bytes
        self.count -= count
        self.bytes -= size_bytes
        if not held.count and not held.bytes:
            del self._tenants[tenant]

    def active(self) -> int:
        """Return how many tenants came in of late."""
        elapsed = self._monotonic() - self._turned_at
        if elapsed >= self._options.active_seconds:
            self._former = self._recent if elapsed < 2 * self._options.active_seconds else set(self._tenants)
            self._recent = set()
            self._turned_at += elapsed
        return len(self._recent | self._former)

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
