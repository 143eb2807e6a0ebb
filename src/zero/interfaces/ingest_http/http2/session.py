"""What one peer says in HTTP/2, frame by frame. No input or output of its own.

Whoever breaks a rule ends the connection, where the rules leave the choice: only what an honest proxy may pass on from one of
many clients (a malformed head, a body of another length than declared) ends its stream alone.
"""

from collections.abc import Callable

from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.http2 import frames
from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode, Setting, StreamFault
from zero.interfaces.ingest_http.http2.outbox import Outbox
from zero.interfaces.ingest_http.http2.streams import Streams

_CONTINUATIONS_MAX = 16
_REFUSED, _CANCELLED, _FAULTY = 5, 5, 10  # points of patience


class _Block:
    """A head that comes in pieces."""

    __slots__ = ("count", "data", "flags", "since", "stream_id")

    def __init__(self, stream_id: int, flags: int, data: bytes, now: float) -> None:
        self.stream_id = stream_id
        self.flags = flags
        self.data = bytearray(data)
        self.since = now
        self.count = 0


class Session:
    """The frames of one connection. ``feed`` raises ConnectionFault: then the connection has to end."""

    def __init__(self, connections: Connections, source: str, outbox: Outbox) -> None:
        self._connections = connections
        self._options = connections.options
        self._outbox = outbox
        self._rest = b""
        self._rest_since = 0.0
        self._block: _Block | None = None
        self._settled = False
        self.streams = Streams(connections, source, outbox)
        self._patience = self.streams.patience
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            self.streams.data,
            self._on_headers,
            self._on_priority,
            self._on_reset,
            self._on_settings,
            self._on_promise,
            self._on_ping,
            self._on_goaway,
            self._on_window_update,
            self._on_continuation,
        )

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and everything is written."""
        return not len(self.streams) and self._outbox.empty

    def open(self) -> None:
        """Say what we take."""
        options = self._options
        ours = {
            Setting.MAX_CONCURRENT_STREAMS: options.streams_max,
            Setting.INITIAL_WINDOW_SIZE: options.stream_window_bytes,
            Setting.MAX_HEADER_LIST_SIZE: options.head_bytes_max,
        }
        more = options.connection_window_bytes - frames.WINDOW_DEFAULT
        self._outbox.put(frames.settings_frame(ours) + frames.window_update(0, more))

    def feed(self, data: bytes) -> bool:
        """Read whole frames; what is left over waits for more. Raises ConnectionFault.

        True: there are more, but the other connections should have their turn; ``feed(b"")`` goes on.
        """
        if self._rest:
            data = self._rest + data
        at, size, patience = 0, len(data), self._patience
        patience.begin_turn()
        while size - at >= frames.HEAD_BYTES and not patience.tired:
            both, flags, stream_id = frames.unpack_head(data, at)
            start = at + frames.HEAD_BYTES
            end = start + (both >> 8)
            if end - start > frames.FRAME_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a frame larger than we take")
            if end > size:
                break
            try:
                self._take(both & 0xFF, flags, stream_id & frames.WINDOW_MAX, data[start:end])
            except StreamFault as fault:
                self.streams.end(fault)
                patience.strain("stream_errors", _REFUSED if fault.code is ErrorCode.REFUSED_STREAM else _FAULTY)
            at = end
        if at == size:
            self._rest = b""
            return False
        if at or not self._rest:
            self._rest_since = self._connections.now
        self._rest = data[at:]
        return patience.tired

    def heal(self) -> None:
        """Take note that a second has passed."""
        self._patience.heal()

    def waits_since(self) -> float:
        """Return since when a frame, or a head in pieces, waits for its end; 0 when none does."""
        if self._block is not None:
            return self._block.since
        return self._rest_since if self._rest else 0.0

    def close(self) -> None:
        """Forget everything."""
        self.streams.close()
        self._outbox.clear()
        self._rest, self._block = b"", None

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != frames.CONTINUATION:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "another frame within a head")
        if not self._settled and kind != frames.SETTINGS:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame has to be SETTINGS")
        if kind >= len(self._handlers):
            self._patience.strain("unknown_frames")
        else:
            self._handlers[kind](flags, stream_id, payload)

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that is not a client's")
        if flags & (frames.PADDED | frames.WITH_PRIORITY):
            payload = frames.fragment_of(flags, payload)
        if flags & frames.END_HEADERS:
            self.streams.head(stream_id, flags, payload)
        else:
            self._block = _Block(stream_id, flags, payload, self._connections.now)

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None or block.stream_id != stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        block.data += payload
        block.count += 1
        if len(block.data) > 2 * self._options.head_bytes_max or block.count > _CONTINUATIONS_MAX:
            self.streams.answer_head_too_large(stream_id)
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a head without end", abuse="continuation")
        if flags & frames.END_HEADERS:
            self._block = None
            self.streams.head(stream_id, block.flags, bytes(block.data))

    def _on_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id or len(payload) != 5:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR if stream_id else ErrorCode.PROTOCOL_ERROR, "a wrong PRIORITY")
        self._patience.strain("priority")

    def _on_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        frames.read_number(payload)
        self.streams.refuse_idle(stream_id)
        if self.streams.reset(stream_id):
            self._patience.strain("rapid_reset", _CANCELLED)
        else:
            self._patience.strain("late_reset")

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK and payload:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS that agree and ask at once")
        found = frames.read_settings(payload)
        self._patience.strain("settings", 1 + len(found) // 8)
        if flags & frames.ACK:
            return
        self._settled = True
        for name, value in found:
            if name == Setting.INITIAL_WINDOW_SIZE:
                self._outbox.set_initial_window(value)
            elif name == Setting.HEADER_TABLE_SIZE and value < frames.TABLE_BYTES_DEFAULT:
                self.streams.shrink_table()
        self._outbox.put(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _on_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "clients cannot push")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id or len(payload) != 8:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR if stream_id else ErrorCode.FRAME_SIZE_ERROR, "a wrong PING")
        self._patience.strain("ping")
        if not flags & frames.ACK:
            self._outbox.put(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        self._patience.strain("goaway")

    def _on_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = frames.read_number(payload) & frames.WINDOW_MAX
        if not size:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of nothing")
        self._patience.strain("window_update")
        if stream_id:
            self.streams.refuse_idle(stream_id)
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.grant(size, self._outbox.initial_window)
        else:
            self._outbox.grant(stream_id, size)
