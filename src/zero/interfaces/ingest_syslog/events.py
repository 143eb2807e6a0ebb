"""What the syslog door reports about itself: there is no answer that could tell the sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class SyslogTaken(Event):
    """Messages of one sender that are on disk in the buffer now."""

    name: ClassVar[str] = "syslog_taken"
    labels: ClassVar[tuple[str, ...]] = ("transport",)
    amounts: ClassVar[tuple[str, ...]] = ("messages",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("tcp",), ("tls",), ("udp",))
    help: ClassVar[str] = "Parcels of syslog messages taken into the buffer"
    about: ClassVar[Mapping[str, str]] = {"messages": "Syslog messages taken into the buffer"}

    transport: str
    messages: int


@dataclass(frozen=True, slots=True)
class SyslogLost(Event):
    """Messages that were received and are not stored.

    ``reason`` is ``invalid``, ``too_large``, ``cut_off``, ``full``, ``kernel``, ``stop`` or the code of an error; ``source`` is
    one of their senders.
    """

    name: ClassVar[str] = "syslog_lost"
    level: ClassVar[str | None] = "warning"
    labels: ClassVar[tuple[str, ...]] = ("transport", "reason")
    amounts: ClassVar[tuple[str, ...]] = ("messages",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("udp", "full"), ("udp", "kernel"))
    help: ClassVar[str] = "Times that syslog messages were received and are not stored"
    about: ClassVar[Mapping[str, str]] = {"messages": "Syslog messages that were received and are not stored"}

    transport: str
    reason: str
    messages: int
    source: str


@dataclass(frozen=True, slots=True)
class SyslogDelayed(Event):
    """Messages the platform does not take now; they are offered again, and a stream is read no further meanwhile."""

    name: ClassVar[str] = "syslog_delayed"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("buffer_full",), ("buffer_unavailable",))
    help: ClassVar[str] = "Times syslog messages were not taken at once"

    reason: str


@dataclass(frozen=True, slots=True)
class SyslogBarred(Event):
    """The key that stands for the senders is no longer good: until it is again they are held back, and datagrams dropped."""

    name: ClassVar[str] = "syslog_barred"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "Times the key of the syslog listeners was found to be no longer good"

    message: str


@dataclass(frozen=True, slots=True)
class SyslogClosed(Event):
    """A stream ended. ``reason`` is ``sender``, ``stop``, ``tls`` (no handshake), or the limit it met."""

    name: ClassVar[str] = "syslog_connection_closed"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    help: ClassVar[str] = "Syslog connections that ended"

    reason: str
