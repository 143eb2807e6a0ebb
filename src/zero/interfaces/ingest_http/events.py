"""What the ingest HTTP door reports about itself."""

from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Event):
    """A connection ended. ``reason`` is ``client``, ``done``, or the limit it met."""

    name: ClassVar[str] = "http_connection_closed"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    help: ClassVar[str] = "Connections to the ingest door that ended"

    reason: str


@dataclass(frozen=True, slots=True)
class DoorFailed(Event):
    """A defect of ours met while a request was handled; the sender got a 500."""

    name: ClassVar[str] = "http_door_failed"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "Requests answered with 500"

    message: str


@dataclass(frozen=True, slots=True)
class Http2Abused(Event):
    """A connection was ended because its peer asked for too much without bringing anything. ``type`` is the flood."""

    name: ClassVar[str] = "h2_abuse"
    labels: ClassVar[tuple[str, ...]] = ("type",)
    help: ClassVar[str] = "HTTP/2 connections ended for a flood, by its type"

    type: str


@dataclass(frozen=True, slots=True)
class Http2StreamReset(Event):
    """We ended one stream. ``code`` is the error code of RFC 9113 that we gave."""

    name: ClassVar[str] = "http2_stream_reset"
    labels: ClassVar[tuple[str, ...]] = ("code",)
    help: ClassVar[str] = "HTTP/2 streams that we ended with an error"

    code: str
