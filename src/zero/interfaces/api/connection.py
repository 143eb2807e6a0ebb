"""What uvicorn leaves open on a connection: the size and time of heads, the time of bodies, readers that do not read."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.shapes import problem


class Crowd:
    """The connections of one api that wait for their peers: for a request, whole, or until they have read an answer.

    Of too many the one that waits longest is closed.
    """

    def __init__(self, connections_max: int) -> None:
        self._most = connections_max
        self._waiting: dict[BoundedConnection, None] = {}

    def enter(self, connection: "BoundedConnection", connections: int) -> None:
        """Take note that the connection waits for its peer; ``connections`` are open in all."""
        self._waiting[connection] = None
        if connections > self._most:
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.transport.abort()

    def leave(self, connection: "BoundedConnection") -> None:
        """Take note that the connection waits no more."""
        self._waiting.pop(connection, None)


class BoundedConnection(HttpToolsProtocol):
    """One connection; it is closed when its peer takes longer, sends more or reads less than ``options`` allow."""

    def __init__(self, options: ApiOptions, crowd: Crowd, **given: Any) -> None:
        super().__init__(**given)
        self._options = options
        self._crowd = crowd
        self._arriving: asyncio.TimerHandle | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._in_head = True
        self._unparsed_bytes = self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._crowd.leave(self)
        for timer in (self._arriving, self._leaving):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head has no end."""
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > self._options.head_bytes_max and not self.transport.is_closing():
            self._refuse_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and what a callback below found too much."""
        if self._head_bytes > self._options.head_bytes_max:
            self._refuse_head()
        else:
            self._refuse(400, "bad_request", msg)

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; those behind a chunked body are of no use here."""
        self._count(len(name) + len(value) + self._options.field_bytes)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to wait for the body. Too many requests at once are the peer's fault."""
        if len(self.pipeline) >= self._options.pipelined_requests_max:
            raise ValueError("too many requests at once")
        self._in_head, self._unparsed_bytes = False, 0
        self._within(self._options.body_seconds_max)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for nothing: the next head may begin, and its time begins with the end of the answer."""
        self._in_head, self._unparsed_bytes = True, 0
        if self._leaving is None:
            self._crowd.leave(self)
        self._within(None)
        super().on_message_complete()
        self._rest()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head."""
        super().on_response_complete()
        self._rest()

    def pause_writing(self) -> None:
        """Give the peer time to read."""
        super().pause_writing()
        self._crowd.enter(self, len(self.connections))
        self._leaving = self.loop.call_later(self._options.read_seconds_max, self.transport.abort)

    def resume_writing(self) -> None:
        """Take note that it has read."""
        super().resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self._crowd.leave(self)
        self._rest()

    def _rest(self) -> None:
        """Begin to wait for the next head once the last request is read and answered; an answer may come before its body."""
        answered = self.cycle is None or self.cycle.response_complete
        if self._in_head and answered and not self.pipeline and not self.transport.is_closing():
            self._await_head()

    def _await_head(self) -> None:
        self._crowd.enter(self, len(self.connections))
        self._within(self._options.head_seconds_max)

    def _within(self, seconds: float | None) -> None:
        """Expect the next part of the request within the seconds."""
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._options.head_bytes_max:
            raise ValueError("the head is too large")

    def _refuse_head(self) -> None:
        limit = self._options.head_bytes_max
        self._refuse(431, "head_too_large", f"request line and header fields are larger than {limit} bytes")

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = problem(status, code, message).body
        fields = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + fields + body)
        self.transport.close()
