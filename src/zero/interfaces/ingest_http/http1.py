"""HTTP/1.1 framing: one connection, its requests in flight, and their replies in order."""

import asyncio
from collections import deque
from http import HTTPStatus
from typing import cast

from zero.domain.address import peer_host
from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.events import ConnectionClosed, DoorFailed
from zero.interfaces.ingest_http.heads import KnownHead
from zero.interfaces.ingest_http.reader import MessageReader, Phase
from zero.interfaces.ingest_http.reply import INTERNAL_ERROR, HttpRefusal, Reply, error_reply

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OVERSHOOT = 4  # a read that holds chunked bodies is parsed to its end, past the limit of pipelined requests
_NO_CONTENT = 204
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


def render(reply: Reply, date: bytes, *, close: bool, bodiless: bool) -> bytes:
    """Return the reply as HTTP/1.1 bytes. ``bodiless`` is the reply to HEAD: the length of a body without the body."""
    extra = b"".join([b"%b: %b\r\n" % field for field in reply.headers]) if reply.headers else b""
    if close:
        extra += b"Connection: close\r\n"
    if reply.status == _NO_CONTENT:
        return b"%bDate: %b\r\n%b\r\n" % (_STATUS_LINES[reply.status], date, extra)
    body = b"" if bodiless else reply.body
    form = b"%bDate: %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n%b"
    return form % (_STATUS_LINES[reply.status], date, reply.content_type, len(reply.body), extra, body)


class Http1Exchange:
    """A request in flight."""

    __slots__ = ("_connection", "answer", "bodiless", "close", "source")

    def __init__(self, connection: "Http1Connection", *, close: bool, bodiless: bool) -> None:
        self._connection = connection
        self.source = connection.source
        self.answer: Reply | None = None
        self.close = close
        self.bodiless = bodiless

    def reply(self, reply: Reply) -> None:
        """Keep the reply until those before it are out."""
        if self.answer is None:
            self.answer = reply
            self._connection.answered(self)


class Http1Connection(asyncio.Protocol):
    """One connection. Everything happens in callbacks of the event loop: no task, no timer of its own."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._options = connections.options
        self._reader = MessageReader(connections, self)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Http1Exchange] = deque()
        self._held = b""
        self._reading = False
        self._paused = False
        self._unread = False
        self._last_request = False
        self._heard_at = 0.0
        self._stuck_since = 0.0
        self._ends_at = 0.0
        self._reason = "client"
        self.source = ""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self._heard_at = self._connections.now
        transport.set_write_buffer_limits(self._options.write_bytes_max)
        self.source = peer_host(transport.get_extra_info("peername"))
        refused = self._connections.add(self, self.source)
        if refused and self._connections.crowded:
            self.abort("too_many")
        elif refused:
            self._reason = "too_many"
            self.refuse(error_reply(503, "unavailable", refused, headers=((b"Retry-After", b"1"),)))

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._connections.now
        if self._held:
            self._held += data
        elif not self._last_request:
            self._read(data)

    def eof_received(self) -> bool:
        """Answer what came before the peer closed its side."""
        if self._reader.phase is not Phase.IDLE and not self._last_request:
            message = f"the request ended in the middle of its {self._reader.phase.value}"
            self.refuse(error_reply(400, "bad_request", message))
        self._last_request = True
        if self._queue:
            self._queue[-1].close = True
        return bool(self._queue) and self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._last_request = True
        self._held = b""
        self._reader.release()
        self._queue.clear()
        self._connections.remove(self, self.source)
        self._connections.telemetry.emit(ConnectionClosed(self._reason))

    def pause_writing(self) -> None:
        self._stuck_since = self._connections.now
        self._pause()

    def resume_writing(self) -> None:
        self._stuck_since = 0.0
        self._read_on()

    # What the reader calls.

    def head_arrived(self, head: KnownHead) -> None:
        if not head.expects_continue:
            return
        if head.refusal:  # the sender may or may not send the body now: only closing is unambiguous
            self._last_request = True
            self.refuse(head.refusal)
        elif self._transport and not self._queue:
            self._transport.write(_CONTINUE)

    def request_arrived(self, head: KnownHead, body: bytes) -> None:
        if self._last_request:
            return
        if len(self._queue) >= _OVERSHOOT * self._options.pipelined_requests_max:
            self.refuse(error_reply(429, "overloaded", "too many pipelined requests", headers=((b"Retry-After", b"1"),)))
            return
        exchange = Http1Exchange(self, close=not head.keep_alive, bodiless=head.bodiless_reply)
        self._queue.append(exchange)
        self._last_request = not head.keep_alive
        if head.handle is None:
            exchange.reply(self._connections.refused(head.refusal or error_reply(500, "error", "no door")))
            return
        try:
            head.handle(body, exchange)
        except Exception as error:
            self._connections.telemetry.emit(DoorFailed(f"{type(error).__name__}: {error}"))
            exchange.reply(INTERNAL_ERROR)

    # What exchanges and the sweep call.

    def answered(self, exchange: Http1Exchange) -> None:
        """Write what is next in order and answered."""
        queue = self._queue
        if not queue or queue[0] is not exchange or self._transport is None:
            return
        stopping, date, out = self._connections.stopping, self._connections.date, []
        while queue and (answer := queue[0].answer) is not None:
            done = queue.popleft()
            close = done.close or answer.close or (stopping and not queue)
            out.append(render(answer, date, close=close, bodiless=done.bodiless))
            if close:
                queue.clear()
                self._transport.write(b"".join(out))
                self._finish()
                return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if self._paused and not self._reading:
            self._read_on()

    def refuse(self, reply: Reply) -> None:
        """Answer with this behind what is in flight, then close; nothing more is read."""
        self._last_request = self._unread = True
        self._held = b""
        self._reader.release()
        self._ends_at = self._connections.now + self._options.linger_seconds + self._options.write_timeout_seconds
        exchange = Http1Exchange(self, close=True, bodiless=False)
        self._queue.append(exchange)
        exchange.reply(self._connections.refused(reply))

    def stop(self) -> None:
        """Close when nothing is in flight; else the last reply closes."""
        if not self._queue and self._reader.phase is Phase.IDLE and self._transport:
            self._reason = "stop"
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close without any further word."""
        self._reason = reason
        if self._transport:
            self._transport.abort()

    def check(self, now: float) -> None:
        """Close what is too slow; the sweep calls this about once a second."""
        options, phase = self._options, self._reader.phase
        if self._ends_at:
            if now >= self._ends_at:
                self.abort(self._reason)
        elif self._stuck_since:
            if now - self._stuck_since > options.write_timeout_seconds:
                self.abort("slow_reader")
        elif phase is Phase.HEAD and now - self._reader.phase_since > options.head_timeout_seconds:
            self._time_out("slow_head", f"the request head took longer than {options.head_timeout_seconds:g} s")
        elif phase is Phase.BODY and self._body_is_slow(now):
            self._time_out("slow_body", f"the request body stalled for {options.body_timeout_seconds:g} s or came too slowly")
        elif not self._queue and phase is Phase.IDLE and now - self._heard_at > options.idle_timeout_seconds:
            self._reason = "idle"
            if self._transport:
                self._transport.close()

    def _read(self, data: bytes) -> None:
        """Read requests until there are no more, or as many in flight as may be."""
        start, size, self._reading = 0, len(data), True
        try:
            while start < size and not self._last_request:
                if len(self._queue) >= self._options.pipelined_requests_max or self._stuck_since:
                    self._held = data[start:]
                    self._pause()
                    break
                start = self._reader.feed(data, start)
        except HttpRefusal as refusal:
            self._reason = refusal.code
            self.refuse(refusal.reply)
        finally:
            self._reading = False

    def _pause(self) -> None:
        self._paused = True
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def _read_on(self) -> None:
        """Take up what was held back, once there is room."""
        if self._stuck_since or len(self._queue) > self._options.pipelined_requests_max // 2 or not self._transport:
            return
        self._paused = False
        data, self._held = self._held, b""
        if data:
            self._read(data)
        if not self._paused and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def _finish(self) -> None:
        """Close after a last reply, in a way that lets the peer read it although it may still be sending."""
        transport = self._transport
        if transport is None:
            return
        if self._reason == "client":
            self._reason = "done"
        self._last_request = True
        self._held = b""
        self._ends_at = self._connections.now + self._options.linger_seconds
        if not self._unread or not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        transport.resume_reading()

    def _body_is_slow(self, now: float) -> bool:
        lasted, limit = now - self._reader.phase_since, self._options.body_timeout_seconds
        too_slow = self._reader.body_bytes < lasted * self._options.body_rate_min_bytes_per_second
        return now - self._heard_at > limit or (lasted > limit and too_slow)

    def _time_out(self, reason: str, message: str) -> None:
        self._reason = reason
        self.refuse(error_reply(HTTPStatus.REQUEST_TIMEOUT, "timeout", message))
