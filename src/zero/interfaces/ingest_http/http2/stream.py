"""One stream: a request as it arrives, and the exchange that its reply goes to."""

from typing import Protocol

from zero.interfaces.ingest_http.http2.frames import WINDOW_MAX, ConnectionFault, ErrorCode, StreamFault
from zero.interfaces.ingest_http.http2.head_blocks import RequestHead
from zero.interfaces.ingest_http.reply import Reply

STREAM_BYTES = 1_024
"""What we count for a stream that waits for its body, beside the body and a head of its own."""


class Answering(Protocol):
    """Where streams put their replies."""

    source: str

    def answered(self, stream: "Stream", reply: Reply) -> None:
        """Take the one reply of the stream."""


class Stream:
    """A request in flight.

    ``granted`` is what the peer has let us send beyond its initial window; ``handed``: a door has the request; ``cancelled``:
    nobody waits for the reply any more.
    """

    __slots__ = (
        "_answering",
        "answered",
        "body",
        "budgeted",
        "cancelled",
        "granted",
        "handed",
        "head",
        "heard_at",
        "id",
        "receiving",
        "since",
        "size",
        "source",
        "uncredited",
    )

    def __init__(self, answering: Answering, stream_id: int, head: RequestHead, now: float) -> None:
        self._answering = answering
        self.id = stream_id
        self.head = head
        self.source = answering.source
        self.since = self.heard_at = now
        self.body: bytearray | None = None
        self.size = self.uncredited = self.granted = self.budgeted = 0
        self.receiving = True
        self.answered = self.cancelled = self.handed = False

    def reply(self, reply: Reply) -> None:
        """Send the reply, unless there was one, or the peer has gone."""
        if not self.answered:
            self.answered = True
            self._answering.answered(self, reply)

    def grant(self, size: int, initial: int) -> None:
        """Let us send more. Raises ConnectionFault."""
        self.granted += size
        if initial + self.granted > WINDOW_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is too large")

    def count(self, wire_bytes: int, body_bytes: int) -> None:
        """Count a piece of the body. Raises StreamFault when it is longer than declared."""
        self.uncredited += wire_bytes
        self.size += body_bytes
        if 0 <= self.head.length < self.size:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, self.id)

    def end(self) -> None:
        """Take note of the end of the request. Raises StreamFault when it is not as long as declared."""
        self.receiving = False
        if 0 <= self.head.length != self.size:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, self.id)
