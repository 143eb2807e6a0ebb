"""A submission: one request on its way through the ingest side, and who waits for its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Protocol

from zero.application.identity import Identity, Meter
from zero.application.ports import Decoded, Span
from zero.application.receipt import Receipt
from zero.domain.errors import InvalidInput, ZeroError

IDEMPOTENCY_KEY_CHARACTERS = 255
_DIGEST_BYTES = 16

Decode = Callable[[bytes, int, str], Decoded]
"""Body, time of receipt in Unix nanoseconds and source, to what was decoded. Raises InvalidInput."""


class Ack(Enum):
    """What a sender waits for: on disk in the buffer, or in the store."""

    DURABLE = "durable"
    STORED = "stored"


class Waiter(Protocol):
    """Who is told, exactly once, in the event loop, what became of a submission."""

    def settled(self, receipt: Receipt) -> None:
        """Take the receipt. Must not raise."""

    def failed(self, error: ZeroError) -> None:
        """Take the reason why nothing of it was accepted. Must not raise."""


@dataclass(slots=True)
class Submission:
    """One body with all that decides what becomes of it.

    One with ``decompress`` is decoded in a worker thread whatever its size. ``meter`` is released, once, when the outcome is
    told. ``digest`` is that of a keyed body, decompressed, so that a retry has the same. ``trace`` is the traceparent of the
    sender, ``span`` ours, where the request is traced.
    """

    body: bytes
    decode: Decode
    source: str
    waiter: Waiter
    identity: Identity
    key: str | None = None
    ack: Ack | None = None
    decompress: Callable[[bytes], bytes] | None = None
    trace: str = ""
    meter: Meter | None = None
    digest: bytes = b""
    span: Span | None = None

    def decoded(self, now_ns: int) -> Decoded:
        """Return what is in the body. Raises InvalidInput."""
        body = self.body if self.decompress is None else self.decompress(self.body)
        if self.key is not None:
            self.digest = blake2b(body, digest_size=_DIGEST_BYTES).digest()
        return self.decode(body, now_ns, self.source)

    def release(self) -> None:
        """Release the meter."""
        if self.meter is not None:
            self.meter.release()
            self.meter = None

    @property
    def tenant(self) -> str:
        """Whose entries these are: that of the key, whatever the request says."""
        return self.identity.tenant


class MeteredWaiter:
    """Releases a meter when the outcome is told by somebody who knows the waiter alone."""

    __slots__ = ("_meter", "_waiter")

    def __init__(self, waiter: Waiter, meter: Meter) -> None:
        self._waiter = waiter
        self._meter = meter

    def settled(self, receipt: Receipt) -> None:
        """Release, and pass the receipt on."""
        self._meter.release()
        self._waiter.settled(receipt)

    def failed(self, error: ZeroError) -> None:
        """Release, and pass the reason on."""
        self._meter.release()
        self._waiter.failed(error)


def checked_key(text: str) -> str:
    """Return the idempotency key. Raises InvalidInput unless it is 1 to 255 visible ASCII characters."""
    if not 1 <= len(text) <= IDEMPOTENCY_KEY_CHARACTERS or not all("!" <= character <= "~" for character in text):
        raise InvalidInput("Idempotency-Key must be 1 to 255 visible ASCII characters", field="Idempotency-Key")
    return text


def parse_ack(text: str) -> Ack:
    """Return the acknowledgement asked for. Raises InvalidInput."""
    try:
        return Ack(text)
    except ValueError:
        raise InvalidInput("Zero-Ack must be 'durable' or 'stored'", field="Zero-Ack") from None
