"""How long entries are kept, and the cut that this makes through the days of their receipt.

A day is the day of receipt (UTC, counted from 1970). A cut names the first day that is kept, for each tenant.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zero.domain.errors import ConfigurationError

DAYS_MAX = 3650
FLOOR_DAYS = 2
"""Today and the day before stay, whatever the size: what was just promised is not what makes room."""

_PART = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cut:
    """The first day of receipt that is kept: of each tenant that is named, and of the ``others``."""

    others: int = 0
    tenants: Mapping[str, int] = field(default_factory=dict)

    def of(self, tenant: str) -> int:
        """Return the first day that is kept of a tenant."""
        return self.tenants.get(tenant, self.others)

    @property
    def everyone(self) -> int:
        """The first day of which anything is kept: those before it go as a whole."""
        return min(self.others, *self.tenants.values()) if self.tenants else self.others

    def at_least(self, day: int) -> "Cut":
        """Return the cut with no day before this one kept of anybody."""
        return Cut(max(self.others, day), {tenant: max(first, day) for tenant, first in self.tenants.items()})

    def joined(self, other: "Cut") -> "Cut":
        """Return the cut that keeps only what both keep."""
        names = self.tenants.keys() | other.tenants.keys()
        return Cut(max(self.others, other.others), {name: max(self.of(name), other.of(name)) for name in names})


@dataclass(frozen=True, slots=True)
class Retention:
    """``days`` from its receipt an entry is kept, or those of its tenant; ``bytes_max`` bounds the store, 0 does not."""

    days: int = 30
    tenants: Mapping[str, int] = field(default_factory=dict)
    bytes_max: int = 0

    def __post_init__(self) -> None:
        for name, days in {"retention_days": self.days, **self.tenants}.items():
            if not 1 <= days <= DAYS_MAX:
                raise ConfigurationError(f"{name}: entries are kept for 1 to {DAYS_MAX} days, not {days}")

    def days_of(self, tenant: str) -> int:
        """Return how many days a tenant's entries are kept."""
        return self.tenants.get(tenant, self.days)

    @property
    def days_max(self) -> int:
        """The days of whoever keeps longest."""
        return max(self.days, *self.tenants.values()) if self.tenants else self.days

    @property
    def differs(self) -> bool:
        """Whether some tenant's entries are kept for another time than the longest."""
        return any(days != self.days_max for days in (self.days, *self.tenants.values()))

    def cut(self, today: int) -> Cut:
        """Return what age takes away; the day on which retention falls due is kept, as by the ledger."""
        return Cut(today - self.days, {tenant: today - days for tenant, days in self.tenants.items()})


def parse_tenants(text: str) -> dict[str, int]:
    """Return tenant → days from ``acme=7,beta=90``. Raises ConfigurationError."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        read = _PART.fullmatch(part)
        if read is None or read[1] in found:
            raise ConfigurationError(f"retention of tenants is written acme=7,beta=90, each tenant once, not {part!r}")
        found[read[1]] = int(read[2])
    return found


def first_day_within(rows: Iterable[tuple[int, int]], share: float, today: int) -> int:
    """Return the first day to keep so that no more than ``share`` of the rows (day, count) stays; never after the floor."""
    counts: dict[int, int] = {}
    for day, count in rows:
        counts[day] = counts.get(day, 0) + count
    room, first = share * sum(counts.values()), today - FLOOR_DAYS + 1
    for day in sorted(counts, reverse=True):
        room -= counts[day]
        if room < 0 and day < first:
            return day + 1
    return 0
