"""The requests of one connection: heads, bodies, the hand-over to a door, and the way back of the reply."""

from collections import OrderedDict

from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.events import DoorFailed, Http2StreamReset
from zero.interfaces.ingest_http.http2 import frames
from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode, StreamFault
from zero.interfaces.ingest_http.http2.head_blocks import Fields, HeadBlocks, Malformed, check_field
from zero.interfaces.ingest_http.http2.outbox import Outbox
from zero.interfaces.ingest_http.http2.patience import Patience
from zero.interfaces.ingest_http.http2.reply_blocks import CONTINUE_BLOCK, TABLE_EMPTIED
from zero.interfaces.ingest_http.http2.stream import STREAM_BYTES, Stream
from zero.interfaces.ingest_http.reply import INTERNAL_ERROR, HttpRefusal, Reply, error_reply

_TINY_BYTES = 16
_REMEMBERED_RESETS_MAX = 256
_DISCARDED_BYTES_MAX = 64 * 1024
_NO_DOOR = error_reply(500, "error", "no door")


class Streams:
    """What is in flight. What a frame leads to may raise ConnectionFault, or StreamFault, which the caller takes to ``end``."""

    def __init__(self, connections: Connections, source: str, outbox: Outbox) -> None:
        self._connections = connections
        self._options = connections.options
        self._outbox = outbox
        self._blocks = HeadBlocks(connections.blocks)
        self._replies = connections.reply_blocks
        self._open: dict[int, Stream] = {}
        self._resets: OrderedDict[int, None] = OrderedDict()
        self._lingering: OrderedDict[int, float] = OrderedDict()
        self._ends_behind: int | None = None
        self._uncredited = 0
        self._table_news: bytes | None = None
        self.get = self._open.get
        self.patience = Patience(connections.options.strain_points_max)
        self.last_id = 0
        self.source = source

    def __len__(self) -> int:
        """How many are in flight, with those that were cancelled while a door works on them."""
        return len(self._open)

    @property
    def leaving(self) -> bool:
        """Whether the connection ends when nothing is in flight."""
        return self._ends_behind is not None

    def head(self, stream_id: int, flags: int, block: bytes) -> None:
        """Take a whole head: a request, or the trailers of one."""
        if stream_id <= self.last_id:
            self._trailers(stream_id, flags, self._fields(block))
            return
        self.last_id = stream_id
        try:
            head = self._blocks.request(block)
        except Malformed as error:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id) from error
        except ConnectionFault as fault:
            if fault.abuse:
                self.answer_head_too_large(stream_id)
            raise
        if self._blocks.strain:
            self.patience.strain("headers", self._blocks.strain)
        if self._ends_behind is not None:
            return  # the peer knows from our GOAWAY that nobody takes it
        if len(self._open) >= self._options.streams_max:
            raise StreamFault(ErrorCode.REFUSED_STREAM, stream_id)
        stream = self._open[stream_id] = Stream(self, stream_id, head, self._connections.now)
        if flags & frames.END_STREAM:
            stream.end()
            self._hand_over(stream, b"")
        else:
            self._await_body(stream)

    def data(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a piece of a body."""
        size = len(payload)
        self._count(size)
        if flags & frames.PADDED:
            payload = frames.unpadded(payload)
        ended = flags & frames.END_STREAM
        if len(payload) < _TINY_BYTES and not ended:
            self.patience.strain("tiny_data")
        stream = self._receiving(stream_id)
        if stream is None:
            if ended:
                self._lingering.pop(stream_id, None)
            return
        stream.count(size, len(payload))
        if stream.size > self._options.body_bytes_max:
            self._refuse(stream, error_reply(413, "too_large", f"the body is larger than {self._options.body_bytes_max} bytes"))
        elif ended:
            stream.end()
            self._hand_over(stream, payload)
        else:
            self._gather(stream, payload)

    def answered(self, stream: Stream, reply: Reply) -> None:
        """Write the reply of a stream; then the stream no longer counts."""
        self._open.pop(stream.id, None)
        if stream.cancelled:
            self._outbox.put(b"")  # so that a connection that is only waiting for this one ends
            return
        self.patience.relieve()
        if stream.receiving:
            self._stop_receiving(stream)
            self._remember(stream.id)
            self._linger(stream.id)
        body = b"" if stream.head.known.bodiless_reply else reply.body
        block, now = self._block(reply), self._connections.now
        try:
            self._outbox.reply(stream.id, block, body, stream.granted, now)
        except StreamFault as fault:
            self.end(fault)
        if reply.close:
            self.leave()

    def reset(self, stream_id: int) -> bool:
        """Let a stream go because the peer says so. Says whether anything was still to be done for it."""
        stream = self._open.get(stream_id)
        self._lingering.pop(stream_id, None)
        if stream is None:
            return self._outbox.drop(stream_id)
        self._cancel(stream)
        return True

    def end(self, fault: StreamFault) -> None:
        """End one stream from our side."""
        stream = self._open.get(fault.stream_id)
        if stream is not None:
            self._cancel(stream)
        self._remember(fault.stream_id)
        self._outbox.put(frames.reset(fault.stream_id, fault.code))
        self._connections.telemetry.emit(Http2StreamReset(fault.code.name.lower()))

    def leave(self) -> None:
        """Take no new streams; those in flight are answered."""
        if self._ends_behind is None:
            self._ends_behind = self.last_id
            self._outbox.put(frames.goaway(self.last_id, ErrorCode.NO_ERROR))

    def close(self) -> None:
        """Forget all streams: their replies find nobody, their bodies no memory."""
        for stream in self._open.values():
            stream.cancelled = True
            self._stop_receiving(stream)
        self._open.clear()

    def time_out_bodies(self, now: float) -> None:
        """Answer 408 where a body has stalled or comes too slowly; end what goes on to arrive after its answer.

        Once the connection is to end, a body has little time to stall: some clients send no more of it after our GOAWAY.
        """
        while self._lingering and next(iter(self._lingering.values())) <= now:
            self._outbox.put(frames.reset(self._lingering.popitem(last=False)[0], ErrorCode.NO_ERROR))
        limit, rate = self._options.body_timeout_seconds, self._options.body_rate_min_bytes_per_second
        limit = min(limit, self._options.linger_seconds) if self.leaving else limit
        for stream in [stream for stream in self._open.values() if stream.receiving]:
            lasted = now - stream.since
            if now - stream.heard_at > limit or (lasted > limit and stream.size < lasted * rate):
                self._refuse(
                    stream, error_reply(408, "timeout", f"the request body stalled for {limit:g} s or came too slowly")
                )

    def shrink_table(self) -> None:
        """Tell a peer that wants a smaller table that ours is empty: the next head has to begin so, and it stays true."""
        if self._table_news is None:
            self._table_news = TABLE_EMPTIED

    def refuse_idle(self, stream_id: int) -> None:
        """Refuse a frame on a stream that nobody opened."""
        if stream_id > self.last_id or not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that nobody opened")

    def answer_head_too_large(self, stream_id: int) -> None:
        """Say so to the stream, as far as it is a new one, before the connection ends."""
        if stream_id < self.last_id or stream_id in self._open:
            return
        message = f"the header fields are larger than {self._options.head_bytes_max} bytes"
        block = self._block(self._connections.refused(error_reply(431, "head_too_large", message)))
        self._outbox.put(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream_id, block))

    def _refuse(self, stream: Stream, reply: Reply) -> None:
        stream.reply(self._connections.refused(reply))

    def _block(self, reply: Reply) -> bytes:
        return self._told(self._replies.block(reply, self._connections.date))

    def _told(self, block: bytes) -> bytes:
        if not self._table_news:
            return block
        news, self._table_news = self._table_news, b""
        return news + block

    def _fields(self, block: bytes) -> Fields:
        fields = self._blocks.fields(block)
        self.patience.strain("headers", self._blocks.strain)
        return fields

    def _trailers(self, stream_id: int, flags: int, fields: Fields) -> None:
        """Read the end of a request; what trailers say is not asked for."""
        stream = self._receiving(stream_id)
        if stream is None:
            return
        try:
            for name, value in fields:
                check_field(name, value)
        except Malformed as error:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id) from error
        if not flags & frames.END_STREAM:
            raise StreamFault(ErrorCode.PROTOCOL_ERROR, stream_id)
        stream.end()
        self._hand_over(stream, b"")

    def _await_body(self, stream: Stream) -> None:
        """Make room for a stream whose body is still to come; answer at once where the body would be in vain."""
        known = stream.head.known
        if known.handle is None and (known.expects_continue or stream.head.length > _DISCARDED_BYTES_MAX):
            self._refuse(stream, known.refusal or _NO_DOOR)
            return
        self._take(stream, STREAM_BYTES + self._blocks.list_bytes)
        if known.expects_continue and stream.receiving:
            self._outbox.put(frames.frame(frames.HEADERS, frames.END_HEADERS, stream.id, self._told(CONTINUE_BLOCK)))

    def _count(self, size: int) -> None:
        """Open the window of the connection again, once half of it is used: bodies have bounds of their own."""
        self._uncredited += size
        if self._uncredited * 2 >= self._options.connection_window_bytes:
            self._outbox.put(frames.window_update(0, self._uncredited))
            self._uncredited = 0

    def _gather(self, stream: Stream, payload: bytes) -> None:
        stream.heard_at = self._connections.now
        if stream.head.known.handle is not None:
            self._take(stream, len(payload))
        elif stream.size > _DISCARDED_BYTES_MAX:
            self._refuse(stream, stream.head.known.refusal or _NO_DOOR)
        if not stream.receiving:
            return
        if stream.head.known.handle is not None:
            stream.body = stream.body or bytearray()
            stream.body += payload
        if stream.uncredited * 2 >= self._options.stream_window_bytes:
            self._outbox.put(frames.window_update(stream.id, stream.uncredited))
            stream.uncredited = 0

    def _hand_over(self, stream: Stream, payload: bytes) -> None:
        """Give a whole request to its door."""
        known, body = stream.head.known, payload
        if stream.body:
            stream.body += payload
            body = bytes(stream.body)
        self._stop_receiving(stream)
        stream.handed = True
        if known.handle is None:
            self._refuse(stream, known.refusal or _NO_DOOR)
            return
        try:
            known.handle(body, stream)
        except Exception as error:
            self._connections.telemetry.emit(DoorFailed(f"{type(error).__name__}: {error}"))
            stream.reply(INTERNAL_ERROR)

    def _receiving(self, stream_id: int) -> Stream | None:
        """Return the stream that may still receive; None where the peer cannot know yet that it may not."""
        stream = self._open.get(stream_id)
        if stream is not None and stream.receiving:
            return stream
        if stream_id in self._resets or (self._ends_behind is not None and stream_id > self._ends_behind):
            return None
        self.refuse_idle(stream_id)
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, "a frame behind the end of its stream")

    def _take(self, stream: Stream, size: int) -> None:
        """Count memory against what the process has for unfinished requests; answer 429 when there is none."""
        try:
            self._connections.budget.take(size)
            stream.budgeted += size
        except HttpRefusal as refusal:
            self._refuse(stream, refusal.reply)

    def _stop_receiving(self, stream: Stream) -> None:
        self._connections.budget.used -= stream.budgeted
        stream.budgeted = 0
        stream.body = None
        stream.receiving = False

    def _cancel(self, stream: Stream) -> None:
        """Let a stream go. While a door works on it, it counts on: else resetting would be a way around the limit."""
        self._stop_receiving(stream)
        stream.cancelled = True
        if not stream.handed:
            self._open.pop(stream.id, None)

    def _linger(self, stream_id: int) -> None:
        """Leave the peer time to read an early answer: some clients forget it when they are told at once to send no more."""
        self._lingering[stream_id] = self._connections.now + self._options.linger_seconds
        if len(self._lingering) > _REMEMBERED_RESETS_MAX:
            self._outbox.put(frames.reset(self._lingering.popitem(last=False)[0], ErrorCode.NO_ERROR))

    def _remember(self, stream_id: int) -> None:
        self._resets[stream_id] = None
        if len(self._resets) > _REMEMBERED_RESETS_MAX:
            self._resets.popitem(last=False)
