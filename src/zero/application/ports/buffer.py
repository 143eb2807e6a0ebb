"""The durable buffer, as the ingest side and the api see it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zero.domain.ledger import TenantLedger


@dataclass(frozen=True, slots=True)
class Position:
    """Where a frame lies in the buffer."""

    shard: int
    entry: str


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A sender's key for one request, and the receipt to remember under it."""

    tenant: str
    key: str
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """One frame on its way into the buffer."""

    shard: int
    frame: bytes
    tenant: str
    count: int
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """The frame is on disk at ``position``; or the key was known and ``earlier_receipt`` is what it got then."""

    position: Position | None
    earlier_receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class Durability:
    """What the buffer promises: ``mode`` is ``durable`` (fsync before reply) or ``relaxed``, ``detail`` says why."""

    mode: str
    detail: str


@dataclass(frozen=True, slots=True)
class BufferLevel:
    """How full the buffer is."""

    used_bytes: int
    limit_bytes: int
    frames: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry or frame that cannot be stored, kept with its reason.

    With an ``index`` it is one entry: ``frame`` holds that entry alone, under the batch id that it came with. Without one,
    ``frame`` is the whole frame as it lay in the buffer, unreadable.
    """

    position: Position
    reason: str
    tenant: str
    count: int
    frame: bytes
    index: int | None = None


class Buffer(Protocol):
    """The durable buffer as the ingest side and the api see it."""

    async def append(self, appends: Sequence[Append]) -> Sequence[Appended]:
        """Put the frames on disk in one round trip. Raises BufferUnavailable or Overloaded (full): none is acknowledged.

        Raises EpochLost, unsent, when another process may be given the epoch last taken here.
        """

    def silent(self) -> bool:
        """Say whether appends are under way and no sign of life has come for too long."""

    async def next_process_epoch(self) -> int:
        """Return a number that no other process has; good for half an hour."""

    async def drained(self, positions: Sequence[Position]) -> Sequence[Container[int] | None]:
        """Return for each frame the indexes of the entries that became dead letters; None until the drain has settled it."""

    async def durability(self) -> Durability:
        """Say what an acknowledgement means with the server's present settings."""

    async def level(self) -> BufferLevel:
        """Say how full the buffer is."""

    async def ledger(self) -> Mapping[str, TenantLedger]:
        """Return the ledger of every tenant, read in one atomic step for each shard."""

    async def close(self) -> None:
        """Close the connections."""


class DeadLetterStore(Protocol):
    """Where dead letters lie: in the buffer, so that they can leave it in one step."""

    async def dead_letters(self, after: str, limit: int) -> Sequence[tuple[str, DeadLetter]]:
        """Return up to ``limit`` (id, dead letter) pairs behind the id ``after`` ('' for the first), oldest first."""

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Return the dead letter, if it is there. Raises InvalidInput for what is no id."""

    async def replay(self, id: str, frame: bytes) -> bool:
        """Put ``frame`` in the letter's place at the end of the stream, and in the ledger back into the buffer, in one step.

        False: there is no such letter, and nothing was done.
        """

    async def drop(self, id: str) -> bool:
        """Delete the letter and count its entries as dropped, in one step. False: there is no such letter."""
