"""HTTP/2 by hand, for what no client library would send."""

import socket
import struct
from contextlib import suppress
from itertools import count

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
FRAME_BYTES = 16_384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """Return a header field that no table remembers."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    out, left = bytearray(), len(text)
    if left >= 127:
        out.append(127)
        left -= 127
        while left > 127:
            out.append(left & 127 | 128)
            left >>= 7
    out.append(left)
    return bytes(out) + text.encode()


def head(path: str, *more: tuple[str, str]) -> bytes:
    """Return the header block of a gRPC request."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
    return b"".join(literal(*field) for field in [*fields, ("content-type", "application/grpc"), ("te", "trailers"), *more])


def message(body: bytes, flag: int = 0, size: int | None = None) -> bytes:
    """Return a length-prefixed gRPC message, whose prefix may lie."""
    return struct.pack(">BI", flag, len(body) if size is None else size) + body


class RawPeer:
    """One connection that respects flow control and nothing else."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._windows = {0: 65_535}
        self._first = 65_535
        self._input = b""
        self.answer = b""
        self.closed = False
        large = struct.pack(">I", (1 << 31) - 1 - 65_535)
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, large))
        self.read(0.2)

    def send(self, data: bytes) -> None:
        """Send, unless the server has closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def body(self, stream: int, data: bytes, *, end: bool = True, seconds: float = 60) -> int:
        """Send the data as DATA frames for as long as the server makes room and has not answered; returns how much went out."""
        at = 0
        self._windows.setdefault(stream, self._first)
        for _ in count():
            room = min(self._windows[0], self._windows[stream], FRAME_BYTES, len(data) - at)
            if at < len(data) and room <= 0:
                if b"grpc-status" in self.answer or not self.read(seconds):
                    return at
                continue
            last = end and at + room == len(data)
            self.send(frame(DATA, END_STREAM if last else 0, stream, data[at : at + room]))
            at += room
            self._windows[0] -= room
            self._windows[stream] -= room
            if at == len(data) or self.closed:
                return at
        return at

    def read(self, seconds: float) -> bool:
        """Take what the server sends next; False when that is nothing."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65_536)
        except OSError:
            return False
        self.closed = self.closed or not data
        self.answer = (self.answer + data)[-65_536:]
        self._input += data
        while len(self._input) >= 9 + (size := int.from_bytes(self._input[:3])) and not self.closed:
            kind, flags, stream = self._input[3], self._input[4], int.from_bytes(self._input[5:9])
            self._take(kind, flags, stream, self._input[9 : 9 + size])
            self._input = self._input[9 + size :]
        return bool(data)

    def status(self, seconds: float = 60) -> str:
        """Return the gRPC status of the first RPC that ends, '' when none does."""
        while b"grpc-status" not in self.answer:
            if not self.read(seconds):
                return ""
        text = self.answer.partition(b"grpc-status")[2]
        return text[1 : 1 + text[0]].decode()

    def close(self) -> None:
        with suppress(OSError):
            self.socket.close()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            self._windows[stream] = self._windows.get(stream, self._first) + int.from_bytes(payload)
        elif kind == SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                if payload[at : at + 2] == b"\x00\x04":
                    first = int.from_bytes(payload[at + 2 : at + 6])
                    self._windows = {of: left + (first - self._first) * (of != 0) for of, left in self._windows.items()}
                    self._first = first
            self.send(frame(SETTINGS, 1, 0))
        elif kind == PING and not flags & 1:
            self.send(frame(PING, 1, 0, payload))
