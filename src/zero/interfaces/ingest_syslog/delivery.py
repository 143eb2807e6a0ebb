"""Received messages on their way into the platform: offered again until they are taken, because nobody else would."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zero.application.identity import Identity
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing
from zero.application.ports import Decoded, Telemetry
from zero.application.receipt import Receipt
from zero.application.submission import Submission
from zero.domain.errors import Forbidden, Overloaded, Unauthenticated, Unavailable, ZeroError
from zero.domain.key import KeyScope
from zero.interfaces.ingest_syslog.events import SyslogBarred, SyslogDelayed, SyslogTaken
from zero.interfaces.ingest_syslog.losses import Losses
from zero.interfaces.ingest_syslog.options import SyslogOptions

_RETRY_SECONDS_MIN = 0.05


class SyslogCodec(Protocol):
    """What the door needs of the codec beyond what every door does."""

    def decode_syslog(self, body: bytes | memoryview, now_ns: int, source: str, utc_offset_seconds: int = 0) -> Decoded:
        """Decode syslog messages as a stream brings them; times without a zone are ``utc_offset_seconds`` ahead of UTC."""

    def cut_syslog(self, stream: bytes | bytearray, frame_bytes_max: int, frames_max: int) -> tuple[int, int]:
        """Return how many bytes are whole messages, and how many behind them to skip: too long ones (-1: a line to its end)."""


class Badge:
    """Who the senders are. Syslog has no credentials: a listener shows the key that it was given for all of them."""

    def __init__(self, keys: KeyRing, key: str, telemetry: Telemetry) -> None:
        self._keys = keys
        self._key = key
        self._telemetry = telemetry
        self._identity: Identity | None = None
        self._barred = False

    def identity(self) -> Identity:
        """Return the holder of the key. Raises Unauthenticated, Forbidden or Unavailable."""
        if self._identity is None or self._identity.ended:
            self._identity = self._keys.authorise(self._key, KeyScope.INGEST)
            self._barred = False
        return self._identity

    def refused(self, error: Unauthenticated | Forbidden) -> None:
        """Say once that the key is not good."""
        if not self._barred:
            self._barred = True
            self._telemetry.emit(SyslogBarred(f"ZERO_SYSLOG_KEY: {error.message}"))


@dataclass(frozen=True, slots=True)
class SyslogServices:
    """What the door needs from the rest of the process."""

    ingest: Ingest
    codec: SyslogCodec
    telemetry: Telemetry
    badge: Badge


@dataclass(frozen=True, slots=True)
class Parcel:
    """Whole messages of one sender, in the order and form in which a stream brings them."""

    body: bytes
    source: str
    transport: str


class Delivery:
    """One parcel. Calls ``done`` once it was taken or lost; until then it is offered again after pauses with a bound."""

    def __init__(
        self, services: SyslogServices, options: SyslogOptions, parcel: Parcel, losses: Losses, done: Callable[[], None]
    ) -> None:
        self._services = services
        self._options = options
        self._parcel = parcel
        self._losses = losses
        self._done = done
        self._offset = time.localtime().tm_gmtoff
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def offer(self) -> None:
        """Hand it to the ingest service."""
        self._timer = None
        try:
            identity = self._services.badge.identity()
        except ZeroError as error:
            return self.failed(error)
        self._services.ingest.accept(Submission(self._parcel.body, self._decode, self._parcel.source, self, identity))
        return None

    def settled(self, receipt: Receipt) -> None:
        """Take the receipt; what was rejected is lost."""
        if self._over:
            return
        if receipt.accepted:
            self._services.telemetry.emit(SyslogTaken(self._parcel.transport, receipt.accepted))
        if receipt.rejected:
            self._lost("invalid", receipt.rejected)
        self._finish()

    def failed(self, error: ZeroError) -> None:
        """Try again where that can help, and also where the key is not good: better held back than lost."""
        if self._over:
            return
        if isinstance(error, Unauthenticated | Forbidden):
            self._services.badge.refused(error)
            self._later(error, self._options.retry_seconds_max)
        elif isinstance(error, Overloaded | Unavailable):
            self._later(error, error.retry_after_seconds)
        else:
            self.give_up(error.code)

    def give_up(self, reason: str) -> None:
        """Count its messages as lost."""
        if self._timer is not None:
            self._timer.cancel()
        self._lost(reason, self._decode(self._parcel.body, time.time_ns(), "").accepted)
        self._finish()

    def _later(self, error: ZeroError, pause: float) -> None:
        self._services.telemetry.emit(SyslogDelayed(error.code))
        pause = min(max(pause, _RETRY_SECONDS_MIN), self._options.retry_seconds_max)
        pause *= 0.5 + random.random() / 2  # noqa: S311 - jitter, not a secret
        self._timer = asyncio.get_running_loop().call_later(pause, self.offer)

    def _finish(self) -> None:
        self._over = True
        self._done()

    def _decode(self, body: bytes, now_ns: int, source: str) -> Decoded:
        return self._services.codec.decode_syslog(body, now_ns, source, self._offset)

    def _lost(self, reason: str, messages: int) -> None:
        self._losses.add(self._parcel.transport, reason, messages, self._parcel.source)
