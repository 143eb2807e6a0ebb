"""What the keys report about themselves. No event names a tenant or key in a label: those are not from a small fixed set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class AccessRefused(Event):
    """A request without the right to what it asked for. ``reason`` is the code of an error."""

    name: ClassVar[str] = "access_refused"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("unauthenticated",), ("forbidden",))
    help: ClassVar[str] = "Requests refused for want of a good API key"

    reason: str


@dataclass(frozen=True, slots=True)
class QuotaReached(Event):
    """A request refused because its sender has reached a bound of its own: requests, bytes, in_flight or share."""

    name: ClassVar[str] = "quota_reached"
    labels: ClassVar[tuple[str, ...]] = ("limit",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("requests",), ("bytes",), ("in_flight",), ("share",))
    help: ClassVar[str] = "Requests refused because of the quota of their key or the fair share of their tenant"

    limit: str


@dataclass(frozen=True, slots=True)
class KeysLoaded(Event):
    """The keys as this process knows them have changed; ``keys`` are good now."""

    name: ClassVar[str] = "keys_loaded"
    level: ClassVar[str | None] = "info"
    gauges: ClassVar[tuple[str, ...]] = ("keys",)
    help: ClassVar[str] = "Changes of the set of API keys that this process has seen"
    about: ClassVar[Mapping[str, str]] = {"keys": "API keys that are good now"}

    keys: int
    version: int


@dataclass(frozen=True, slots=True)
class KeysStale(Event):
    """The keys could not be read again; the last known ones go on working for a bounded time."""

    name: ClassVar[str] = "keys_stale"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times the keys could not be read from the buffer, counted once an outage"

    message: str


@dataclass(frozen=True, slots=True)
class AdminActed(Event):
    """An act of administration, as it goes into the audit log."""

    name: ClassVar[str] = "admin_act"
    level: ClassVar[str | None] = "info"
    labels: ClassVar[tuple[str, ...]] = ("act",)
    help: ClassVar[str] = "Acts of administration"

    act: str
    actor: str
    subject: str
    detail: str
