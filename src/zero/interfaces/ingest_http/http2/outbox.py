"""What goes out on one connection: gathered for one write in each turn of the loop, and held back where windows are shut."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from zero.interfaces.ingest_http.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADERS,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    pack_head,
)


class Budget(Protocol):
    """Bytes that may wait, over all connections of the process."""

    used: int
    bytes_max: int


class Held:
    """The rest of a reply that waits for a window."""

    __slots__ = ("body", "granted", "sent")

    def __init__(self, body: bytes, granted: int) -> None:
        self.body = body
        self.granted = granted
        self.sent = 0


class Outbox:
    """Writes frames. Replies that cannot go at once wait here, within a budget; those beyond it are cut off."""

    def __init__(self, budget: Budget, written: Callable[[], None]) -> None:
        self._budget = budget
        self._written = written
        self._out: list[bytes] = []
        self._size = 0
        self._scheduled = False
        self._held: dict[int, Held] = {}
        self._window = WINDOW_DEFAULT
        self._turn_bytes_max = 4 * WINDOW_DEFAULT
        self.transport: asyncio.Transport | None = None
        self.initial_window = WINDOW_DEFAULT
        self.paused = False
        self._held_since = 0.0
        self._held_sent = 0

    @property
    def empty(self) -> bool:
        """Whether everything is written."""
        return not self._out and not self._held

    def put(self, data: bytes) -> None:
        """Write this in the present turn of the loop."""
        self._out.append(data)
        self._size += len(data)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def reply(self, stream_id: int, block: bytes, body: bytes, granted: int, now: float) -> None:
        """Write a reply. Raises StreamFault when it would have to wait, and too much waits already."""
        head, size = len(block) << 8 | HEADERS, len(body)
        if not size:
            self.put(pack_head(head, END_STREAM | END_HEADERS, stream_id) + block)
        elif size <= self._room(self.initial_window + granted) and size <= FRAME_BYTES_MAX:
            self._window -= size
            data = pack_head(size << 8 | DATA, END_STREAM, stream_id)
            self.put(b"%b%b%b%b" % (pack_head(head, END_HEADERS, stream_id), block, data, body))
        else:
            self.put(pack_head(head, END_HEADERS, stream_id) + block)
            self._hold(stream_id, Held(body, granted), now)

    def grant(self, stream_id: int, size: int) -> None:
        """Open a window: that of the connection (0), or of a reply held back. Raises ConnectionFault."""
        if not stream_id:
            self._window += size
            if self._window > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of the connection is too large")
        elif held := self._held.get(stream_id):
            held.granted += size
            if self.initial_window + held.granted - held.sent > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is too large")
        self.pump()

    def set_initial_window(self, size: int) -> None:
        """Change the window that every stream begins with, also of those that have begun. Raises ConnectionFault."""
        self.initial_window = size
        if any(size + held.granted - held.sent > WINDOW_MAX for held in self._held.values()):
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of a stream is too large")
        self.pump()

    def is_stalled(self, now: float, timeout_seconds: float, bytes_per_second_min: int) -> bool:
        """Say whether replies have waited for a window too long, or pass it too slowly."""
        lasted = now - self._held_since
        return bool(self._held) and lasted > timeout_seconds and self._held_sent < lasted * bytes_per_second_min

    def drop(self, stream_id: int) -> bool:
        """Forget the rest of a reply. Says whether there was one."""
        held = self._held.pop(stream_id, None)
        if held is None:
            return False
        self._budget.used -= len(held.body) - held.sent
        return True

    def clear(self) -> None:
        """Forget everything that is held back."""
        for stream_id in list(self._held):
            self.drop(stream_id)

    def pump(self) -> None:
        """Write of what is held back as much as windows allow and one turn should hold."""
        if self._window <= 0:
            return
        for stream_id, held in list(self._held.items()):
            while (size := min(self._room(self.initial_window + held.granted - held.sent), self._rest(held))) > 0:
                self._window -= size
                self._budget.used -= size
                self._held_sent += size
                start, held.sent = held.sent, held.sent + size
                last = held.sent == len(held.body)
                self.put(pack_head(size << 8 | DATA, END_STREAM if last else 0, stream_id) + held.body[start : held.sent])
            if held.sent == len(held.body):
                self.drop(stream_id)

    def flush(self) -> None:
        """Write what was gathered."""
        self._scheduled = False
        if self.transport is not None and self._out:
            self.transport.write(self._out[0] if len(self._out) == 1 else b"".join(self._out))
        self._out.clear()
        self._size = 0
        if self._held:
            self.pump()
        self._written()

    @staticmethod
    def _rest(held: Held) -> int:
        return min(FRAME_BYTES_MAX, len(held.body) - held.sent)

    def _room(self, stream_window: int) -> int:
        return 0 if self.paused or self._size > self._turn_bytes_max else min(self._window, stream_window)

    def _hold(self, stream_id: int, held: Held, now: float) -> None:
        if self._budget.used + len(held.body) > self._budget.bytes_max:
            raise StreamFault(ErrorCode.ENHANCE_YOUR_CALM, stream_id)
        self._budget.used += len(held.body)
        if not self._held:
            self._held_since, self._held_sent = now, 0
        self._held[stream_id] = held
        self.pump()
