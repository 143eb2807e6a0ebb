"""Where the keys lie."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from zero.domain.audit import AuditRecord
from zero.domain.key import ApiKey, KeySet


class KeyStore(Protocol):
    """Where the keys lie, for every process of every host. Raises BufferUnavailable or Overloaded."""

    async def version(self) -> int:
        """Return the version of the set; 0 before the first key."""

    async def load(self) -> KeySet:
        """Return every key, with the version they belong to."""

    async def change(self, based_on: int, keys: Sequence[ApiKey], removed: Sequence[str], record: AuditRecord) -> bool:
        """Put or replace the keys, remove others by id, and record the act, in one step.

        Returns False, and has done nothing, when the version is no longer ``based_on``.
        """

    async def mark_used(self, at_ns: int, ids: Sequence[str]) -> None:
        """Remember that these keys were in use at that time."""

    async def used(self) -> Mapping[str, int]:
        """Return when each key was last in use, in Unix nanoseconds; absent when never."""

    async def record(self, record: AuditRecord) -> None:
        """Record an act; only the latest several thousand are kept."""

    async def audit(self, before: str, limit: int) -> Sequence[tuple[str, AuditRecord]]:
        """Return up to ``limit`` (cursor, act) pairs, newest first, older than the cursor ``before`` ('' for the newest)."""

    async def close(self) -> None:
        """Close the connections."""
