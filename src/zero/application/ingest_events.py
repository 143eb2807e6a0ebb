"""What the ingest side reports about itself."""

from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class RequestsAccepted(Event):
    """Requests whose entries reached the buffer together in one flush; ``seconds`` is the flush, from packing to reply."""

    name: ClassVar[str] = "ingest_flush"
    amounts: ClassVar[tuple[str, ...]] = ("requests", "entries", "rejected", "repaired", "frames", "bytes")
    timings: ClassVar[tuple[str, ...]] = ("seconds",)
    help: ClassVar[str] = "Flushes of gathered requests into the buffer"

    requests: int
    entries: int
    rejected: int
    repaired: int
    frames: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class FlushFailed(Event):
    """A flush the buffer did not take; every request in it was told so. ``reason`` is the code of the error."""

    name: ClassVar[str] = "ingest_flush_failed"
    level: ClassVar[str | None] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    amounts: ClassVar[tuple[str, ...]] = ("requests",)
    help: ClassVar[str] = "Flushes the buffer refused or did not answer"

    reason: str
    requests: int
    message: str


@dataclass(frozen=True, slots=True)
class RequestRejected(Event):
    """A request of which nothing was accepted. ``reason`` is the code of an error."""

    name: ClassVar[str] = "ingest_request_rejected"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    help: ClassVar[str] = "Requests of which nothing was accepted"

    reason: str


@dataclass(frozen=True, slots=True)
class DurabilityFound(Event):
    """What an acknowledgement means with the buffer's present settings."""

    name: ClassVar[str] = "ingest_durability"
    level: ClassVar[str | None] = "info"
    labels: ClassVar[tuple[str, ...]] = ("mode",)
    help: ClassVar[str] = "Durability modes found when an ingest process started"

    mode: str
    detail: str
