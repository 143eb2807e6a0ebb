"""What a drain tells about its work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class BlockStored(Event):
    """A block is in the store and its frames are settled."""

    name: ClassVar[str] = "block_stored"
    amounts: ClassVar[tuple[str, ...]] = ("rows", "frames", "bytes")
    timings: ClassVar[tuple[str, ...]] = ("encode_seconds", "insert_seconds", "settle_seconds")
    help: ClassVar[str] = "Blocks inserted into the store and settled in the buffer"
    about: ClassVar[Mapping[str, str]] = {
        "rows": "Entries stored",
        "frames": "Frames settled in the buffer",
        "bytes": "Size of the blocks as they are sent to the store, before compression",
        "encode_seconds": "Time to encode a block",
        "insert_seconds": "Time for the store to take a block",
        "settle_seconds": "Time for the buffer to settle the frames of a block",
    }

    rows: int
    frames: int
    bytes: int
    encode_seconds: float
    insert_seconds: float
    settle_seconds: float


@dataclass(frozen=True, slots=True)
class VerifyPerformed(Event):
    """The store was asked which rows it already has."""

    name: ClassVar[str] = "verify"
    level: ClassVar[str | None] = "info"
    amounts: ClassVar[tuple[str, ...]] = ("present", "absent")
    help: ClassVar[str] = "Checks of pending rows against the store, after a start or a failure"
    about: ClassVar[Mapping[str, str]] = {
        "present": "Pending rows that the store was found to have already: inserting them again would have doubled them",
        "absent": "Pending rows that the store was found to lack",
    }

    shard: int
    present: int
    absent: int


@dataclass(frozen=True, slots=True)
class DeadLettered(Event):
    """Entries that cannot be stored were put aside with their reason."""

    name: ClassVar[str] = "dead_lettered"
    level: ClassVar[str | None] = "error"
    labels: ClassVar[tuple[str, ...]] = ("kind",)
    amounts: ClassVar[tuple[str, ...]] = ("entries",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("corrupt",), ("refused",))
    help: ClassVar[str] = "Dead letters: kind is corrupt (unreadable frame) or refused (by the store)"
    about: ClassVar[Mapping[str, str]] = {"entries": "Entries that became dead letters"}

    kind: str
    entries: int
    reason: str
    position: str


@dataclass(frozen=True, slots=True)
class LeaseTaken(Event):
    """This process drains the shard from now on."""

    name: ClassVar[str] = "lease_taken"
    level: ClassVar[str | None] = "info"
    help: ClassVar[str] = "Leases taken"

    shard: int
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseGone(Event):
    """Another owner has the shard; everything in hand was dropped."""

    name: ClassVar[str] = "lease_lost"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Leases lost to another owner"

    shard: int
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class DrainFailed(Event):
    """A step failed; the drain waits, then verifies. ``code`` is that of the error."""

    name: ClassVar[str] = "drain_failed"
    level: ClassVar[str | None] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("code",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("buffer_unavailable",), ("store_unavailable",), ("store_halted",))
    help: ClassVar[str] = "Failed drain steps, each followed by a wait and a verify"

    code: str
    shard: int
    attempt: int
    wait_seconds: float
    reason: str
