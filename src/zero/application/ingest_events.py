"""What the ingest side reports about itself."""

from collections.abc import Mapping
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
    about: ClassVar[Mapping[str, str]] = {
        "requests": "Requests acknowledged, or that found their first receipt",
        "entries": "Entries acknowledged: on disk in the buffer",
        "rejected": "Entries rejected from requests of which others were accepted",
        "repaired": "Entries with invalid UTF-8 that was repaired",
        "frames": "Frames appended to the buffer",
        "bytes": "Size of the frames appended to the buffer",
        "seconds": "Time of a flush, from packing to the reply of the buffer",
    }

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
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("buffer_full",), ("buffer_unavailable",))
    help: ClassVar[str] = "Flushes the buffer refused or did not answer"
    about: ClassVar[Mapping[str, str]] = {"requests": "Requests refused because the buffer refused or did not answer"}

    reason: str
    requests: int
    message: str


@dataclass(frozen=True, slots=True)
class RequestRejected(Event):
    """A request of which nothing was accepted. ``reason`` is the code of an error."""

    name: ClassVar[str] = "ingest_request_rejected"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("buffer_full",),
        ("buffer_unavailable",),
        ("invalid_entries",),
        ("invalid_input",),
        ("overloaded",),
        ("quota_exceeded",),
        ("too_large",),
        ("unavailable",),
        ("unsupported_media_type",),
    )
    help: ClassVar[str] = "Requests of which nothing was accepted, by the code of the error"

    reason: str


@dataclass(frozen=True, slots=True)
class DurabilityFound(Event):
    """What an acknowledgement means with the buffer's present settings."""

    name: ClassVar[str] = "ingest_durability"
    level: ClassVar[str | None] = "info"
    labels: ClassVar[tuple[str, ...]] = ("mode",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("durable",), ("relaxed",))
    help: ClassVar[str] = "Durability modes found when an ingest process started"

    mode: str
    detail: str
