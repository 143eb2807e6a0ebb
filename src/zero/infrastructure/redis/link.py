"""One pipelined connection for the path every log takes.

redis-py answers one pipeline at a time and spends about ten times the work on it; here any number of calls are under way at
once, in order, each written in one go and read in one go. Everything off that path uses redis-py.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import hiredis

from zero.domain.errors import BufferUnavailable
from zero.infrastructure.redis.failures import ServerError, refused, unreachable

_NOTHING = object()
_PING = b"*1\r\n$4\r\nPING\r\n"


@dataclass(slots=True)
class _Call:
    """A request under way: replies still to come, and those that came."""

    future: "asyncio.Future[list[Any]]"
    missing: int
    size_bytes: int
    replies: list[Any] = field(default_factory=list)


class Link(asyncio.Protocol):
    """A connection on which calls are answered in the order they were made.

    ``silent_seconds`` says how long the server has been silent with calls waiting. An idle connection is asked for a sign of
    life every ``ping_seconds``. ``reply_timeout_seconds`` without a byte read or written, while calls wait, ends the
    connection; every waiting call then fails with BufferUnavailable, its outcome unknown.
    """

    def __init__(self, ping_seconds: float, reply_timeout_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._ping_seconds = ping_seconds
        self._reply_timeout_seconds = reply_timeout_seconds
        self._reader = hiredis.Reader(replyError=ServerError, notEnoughData=_NOTHING)
        self._calls: deque[_Call] = deque()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        self._alive_at = 0.0
        self._unwritten = 0
        self.unanswered_bytes = 0
        self.silent_seconds = 0.0

    def call(self, parts: Sequence[bytes], replies: int) -> "asyncio.Future[list[Any]]":
        """Send encoded commands; the future holds that many replies. Errors are among them as ServerError, not raised."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(unreachable("connection closed"))
            return future
        size_bytes = sum(map(len, parts))
        if not self._calls:
            self._alive_at = self._loop.time()
        self._calls.append(_Call(future, replies, size_bytes))
        self.unanswered_bytes += size_bytes
        self._transport.writelines(parts)
        return future

    @property
    def open(self) -> bool:
        """Whether calls can be made."""
        return self._transport is not None

    def silence(self) -> float:
        """Return what ``silent_seconds`` would be now; that itself when the last look at it is overdue."""
        now = self._loop.time()
        if not self._calls or now - self._look_at > self._ping_seconds:
            return self.silent_seconds if self._calls else 0.0
        return now - self._alive_at

    def close(self) -> None:
        """Close at once; waiting calls fail."""
        self._fail(unreachable("connection closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is not a subclass
        self._schedule_look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(unreachable(exc or "connection closed by the server"))

    def data_received(self, data: bytes) -> None:
        self._alive_at = self._loop.time()
        self.silent_seconds = 0.0
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _NOTHING:
                self._take(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self._fail(unreachable(f"not a Redis reply: {error}"))

    def _take(self, reply: Any) -> None:
        call = self._calls[0]
        call.replies.append(reply)
        call.missing -= 1
        if call.missing == 0:
            self._calls.popleft()
            self.unanswered_bytes -= call.size_bytes
            if not call.future.done():
                call.future.set_result(call.replies)

    def _schedule_look(self) -> None:
        self._look_at = self._loop.time() + self._ping_seconds
        self._timer = self._loop.call_at(self._look_at, self._look)

    def _look(self) -> None:
        """End the connection when the server shows no sign of life; taking bytes off us is one.

        Time in which this process did not run does not count: the server may have been paused with it.
        """
        if self._transport is None:
            return
        now = self._loop.time()
        self._alive_at = min(now, self._alive_at + now - self._look_at)
        unwritten = self._transport.get_write_buffer_size()
        if unwritten < self._unwritten:
            self._alive_at = now
        self._unwritten = unwritten
        self.silent_seconds = now - self._alive_at if self._calls else 0.0
        if self.silent_seconds > self._reply_timeout_seconds:
            self._fail(unreachable(f"no reply within {self._reply_timeout_seconds} s; the outcome is unknown"))
            return
        if not self._calls:
            self.call((_PING,), 1).add_done_callback(asyncio.Future.exception)
        self._schedule_look()

    def _fail(self, error: BufferUnavailable) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.unanswered_bytes = 0
        while self._calls:
            call = self._calls.popleft()
            if not call.future.done():
                call.future.set_exception(BufferUnavailable(error.message))


def raise_refusal(replies: Sequence[Any]) -> None:
    """Raise the first error among the replies, those inside of EXEC included; EXECABORT only tells that there was one."""
    aborted: ServerError | None = None
    for reply in replies:
        for item in reply if isinstance(reply, list) else (reply,):
            if isinstance(item, ServerError):
                if item.code != "EXECABORT":
                    raise refused(item)
                aborted = item
    if aborted is not None:
        raise refused(aborted)
