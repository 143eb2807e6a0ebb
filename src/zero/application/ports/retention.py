"""What retention takes away from, as the one that does it sees them."""

from collections.abc import Mapping
from typing import Protocol

from zero.domain.retention import Cut


class RetentionLedger(Protocol):
    """The ledger's counters of days, in the buffer."""

    async def forget(self, cut: Cut) -> None:
        """Have the ledger expect no row of the days before the cut, now and later. Raises BufferUnavailable or Overloaded."""


class RetentionStore(Protocol):
    """The store, as far as it has to be kept small. Raises StoreUnavailable, StoreHalted or Overloaded."""

    async def set_aside_broken(self) -> Mapping[str, str]:
        """Take what can no longer be read out of every search, and keep its files. Returns name → reason of all that is out."""

    async def disk_bytes(self) -> int:
        """Return what its tables take on disk."""

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Return the number of rows of every tenant and day of receipt."""

    async def remove(self, cut: Cut) -> int:
        """Remove the rows of the days before the cut; returns how many that are. What is under way already counts as none."""
