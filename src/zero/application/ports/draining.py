"""The durable buffer and the store, as the drain sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zero.application.ports.buffer import DeadLetter, Position
from zero.application.ports.codec import Block


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drain a shard. A higher epoch fences every lower one."""

    shard: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One stream entry as read. ``data`` is None when it was deleted but is still in the pending list.

    ``tenant`` and ``count`` are what was appended, kept beside the frame, so that a corrupt frame can still be accounted for.
    One that is ``replayed`` was a dead letter, or may have been delivered before although the buffer gives it as new: its rows
    are verified before they are stored.
    """

    position: Position
    data: bytes | None
    tenant: str = ""
    count: int = 0
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What has become of the entries at ``positions``: counts of stored entries by tenant, and by tenant and day of receipt
    (docs/decisions/0146), and the dead letters."""

    positions: Sequence[Position]
    stored: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    stored_by_day: Mapping[tuple[str, int], int] = field(default_factory=dict)


class ShardLog(Protocol):
    """The durable buffer as the drain sees it."""

    async def shards(self) -> int:
        """Return how many shards the buffer has, those included that are no longer appended to."""

    async def acquire(self, shard: int, owner: str) -> Lease | None:
        """Take the lease with a new epoch when it is free, expired or ``owner``'s own; else None."""

    async def renew(self, lease: Lease) -> None:
        """Extend the lease. Raises LeaseLost."""

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""

    async def pending(self, lease: Lease, after: str, limit: int) -> Sequence[Delivery]:
        """Return delivered but unsettled entries behind ``after`` ('0' for the first), oldest first. Raises LeaseLost."""

    async def read(self, lease: Lease, limit: int, wait_seconds: float) -> Sequence[Delivery]:
        """Return new entries, oldest first; waits up to ``wait_seconds`` for the first one. Raises LeaseLost."""

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Acknowledge, delete, count and dead-letter in one transaction. Raises LeaseLost when fenced: nothing was done."""


class Store(Protocol):
    """The store as the drain sees it."""

    async def fence(self, lease: Lease) -> None:
        """From its return on, no insert for the shard under a lower epoch can begin (docs/decisions/0130)."""

    async def quiesce(self, lease: Lease) -> None:
        """Return once no insert for the shard under a lower epoch is running; stops those that are.

        Those of a higher epoch go on: whoever asks late must not cut the new owner's inserts off (docs/decisions/0131).
        """

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Return, for each batch id with stored rows, the indexes stored (with repeats, should there be any)."""

    async def insert(self, block: Block, lease: Lease) -> None:
        """Store the block, fsynced. Raises StoreRejected (data wrong), StoreHalted, StoreUnavailable (outcome unknown), or
        LeaseLost (a higher epoch has fenced this one; nothing was stored)."""
