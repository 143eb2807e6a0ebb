"""A raw HTTP/2 client for tests, made of hyperframe and hpack: it may say whatever it likes."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
POST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "zero"),
    (":path", "/api/logs"),
    ("content-type", "application/json"),
]


def request(method: str = "POST", path: str = "/api/logs", **more: str) -> list[tuple[str, str]]:
    head = [(":method", method), (":scheme", "http"), (":authority", "zero"), (":path", path)]
    return head + [(name.replace("_", "-"), value) for name, value in more.items()]


@dataclass
class Answer:
    """What a stream got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    informational: list[int] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None


class Http2Peer:
    """One connection. Reads while it waits for something; opens windows only when told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._encoder, self._decoder = Encoder(), Decoder()
        self._rest = b""
        self._next_id = 1
        self.answers: defaultdict[int, Answer] = defaultdict(Answer)
        self.goaway: tuple[int, int, bytes] | None = None
        self.settings: dict[int, int] = {}
        self.frames: list[Frame] = []
        self.closed = False

    async def greet(self, settings: dict[int, int] | None = None) -> "Http2Peer":
        self.write(PREFACE + SettingsFrame(0, settings=settings or {}).serialize())
        await self.until(lambda: bool(self.settings))
        self.send(SettingsFrame(0, flags=["ACK"]))
        return self

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def send(self, *frames: Frame) -> None:
        self.write(b"".join(frame.serialize() for frame in frames))

    def block(self, head: list[tuple[str, str]]) -> bytes:
        return self._encoder.encode(head)

    def head(self, head: list[tuple[str, str]], stream_id: int = 0, *, end: bool = False) -> int:
        """Send a head on a stream of its own; return the stream."""
        if not stream_id:
            stream_id, self._next_id = self._next_id, self._next_id + 2
        block = self.block(head)
        pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        first = HeadersFrame(stream_id, data=pieces[0], flags=["END_STREAM"] if end else [])
        frames = [first, *(ContinuationFrame(stream_id, data=piece) for piece in pieces[1:])]
        frames[-1].flags.add("END_HEADERS")
        self.send(*frames)
        return stream_id

    def data(self, stream_id: int, data: bytes = b"", *, end: bool = True) -> None:
        self.send(DataFrame(stream_id, data=data, flags=["END_STREAM"] if end else []))

    def ask(self, head: list[tuple[str, str]], body: bytes = b"") -> int:
        stream_id = self.head(head, end=not body)
        if body:
            self.data(stream_id, body)
        return stream_id

    async def exchange(self, head: list[tuple[str, str]], body: bytes = b"") -> Answer:
        return await self.answer(self.ask(head, body))

    async def answer(self, stream_id: int) -> Answer:
        found = self.answers[stream_id]
        await self.until(lambda: found.ended or found.reset is not None)
        return found

    async def until(self, condition, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                assert not self.closed, f"the server has closed: {self.goaway}"
                await self._read()

    async def gone(self, seconds: float = 60.0) -> tuple[int, int, bytes]:
        """Read until the server closes; return what its GOAWAY said."""
        async with asyncio.timeout(seconds):
            while not self.closed:
                await self._read()
        assert self.goaway is not None
        return self.goaway

    async def _read(self) -> None:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        self.closed = not data
        self._rest += data
        while len(self._rest) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._rest[:9]))
            if len(self._rest) < 9 + length:
                return
            frame.parse_body(memoryview(self._rest[9 : 9 + length]))
            self._rest = self._rest[9 + length :]
            self.frames.append(frame)
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.settings = dict(frame.settings)
        elif isinstance(frame, GoAwayFrame):
            self.goaway = (frame.error_code, frame.last_stream_id, frame.additional_data)
        elif isinstance(frame, PingFrame | WindowUpdateFrame | SettingsFrame):
            pass
        else:
            self._take_answer(frame, self.answers[frame.stream_id])

    def _take_answer(self, frame: Frame, answer: Answer) -> None:
        if isinstance(frame, HeadersFrame):
            fields = dict(self._decoder.decode(frame.data))
            status = int(fields.pop(":status"))
            if status < 200:
                answer.informational.append(status)
            else:
                answer.status, answer.headers = status, fields
        elif isinstance(frame, DataFrame):
            answer.body += frame.data
        elif isinstance(frame, RstStreamFrame):
            answer.reset = frame.error_code
        answer.ended = answer.ended or "END_STREAM" in frame.flags
