"""Connections that bring little, slowly, or nothing at all: others do not wait for them, and they take no memory."""

import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
from hpack import Encoder

from tests.integration.abuse.conftest import Ingest
from tests.integration.h2_frames import DATA, END_HEADERS, HEADERS, SETTINGS, frame

pytestmark = [pytest.mark.alone, pytest.mark.timed]
ATTACK_SECONDS = 1.0
HEAD = b"POST /api/logs HTTP/1.1\r\nHost: x\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
SHUT = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
POST = Encoder().encode([(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/api/logs")])
GET = Encoder().encode([(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/health")])
RPC = Encoder().encode(
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/zero.v1.LogService/IngestLogs"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
)
SLOW_MESSAGE = PREFACE + frame(HEADERS, END_HEADERS, 1, RPC) + frame(DATA, 0, 1, b"\0\0\0\x40\0" + b" " * 8_000)


def crowd(port: int, connections: int, first: bytes, more: bytes = b"") -> Callable[[], None]:
    """Return an attack of so many connections that each begin with ``first`` and go on with a byte of ``more`` at times."""

    def attack() -> None:
        with ExitStack() as stack:
            socks = []
            for _ in range(connections):
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                sock.settimeout(0.2)
                socks.append(sock)
                with suppress(OSError):
                    sock.sendall(first)
            until, pieces = time.monotonic() + ATTACK_SECONDS, iter(more or b"")
            while time.monotonic() < until:
                piece = next(pieces, None)
                for sock in socks if piece is not None else ():
                    with suppress(OSError):
                        sock.sendall(bytes([piece or 0]))
                time.sleep(0.1)

    return attack


HTTP = {
    "silent": (900, b"", b""),
    "slow heads": (300, HEAD, b"X-Slow: slow"),
    "heads almost as large as they may be": (300, HEAD + b"X: " + b"a" * 30_000, b"aaaa"),
    "slow bodies": (300, HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 20_000, b"    "),
    "slow chunks": (300, HEAD + b"Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + b" " * 20_000, b"\r\n1\r\n \r\n"),
    "bodies that are announced and do not come": (300, HEAD + b"Content-Length: 16000000\r\n\r\n", b""),
    "readers that do not read": (100, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 60, b""),
    "slow prefaces of HTTP/2": (300, PREFACE[:10], b" "),
    "slow heads of HTTP/2": (300, PREFACE + frame(HEADERS, 0, 1, POST), b"\x00\x00"),
    "slow bodies of HTTP/2": (300, PREFACE + frame(HEADERS, END_HEADERS, 1, POST) + frame(DATA, 0, 1, b" " * 16_000), b"\0"),
    "windows of HTTP/2 that stay shut": (
        50, SHUT + b"".join(frame(HEADERS, END_HEADERS | 1, number, GET) for number in range(1, 100, 2)), b"",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HTTP)
def test_connections_of_http_that_bring_little_are_not_waited_for(ingest: Ingest, name: str) -> None:
    ingest.http.bears(crowd(ingest.port, *HTTP[name]))


GRPC = {
    "silent": (900, b"", b""),
    "slow prefaces": (300, PREFACE[:10], b" "),
    "slow heads": (300, PREFACE + frame(HEADERS, 0, 1, RPC), b"\0\0"),
    "slow messages": (
        300, SLOW_MESSAGE, b"\0",
    ),
    "windows that stay shut": (5, SHUT + b"".join(frame(HEADERS, END_HEADERS, n, RPC) for n in range(1, 128, 2)), b""),
}  # fmt: skip


@pytest.mark.parametrize("name", GRPC)
def test_connections_of_grpc_that_bring_little_are_not_waited_for(ingest: Ingest, name: str) -> None:
    ingest.grpc.bears(crowd(ingest.grpc_port, *GRPC[name]))


@pytest.mark.parametrize("door", ["HTTP", "gRPC"])
def test_clients_that_vanish_in_the_middle_leave_nothing_behind(ingest: Ingest, door: str) -> None:
    port, sent = {
        "HTTP": (ingest.port, HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 50_000),
        "gRPC": (ingest.grpc_port, SLOW_MESSAGE),
    }[door]

    def attack() -> None:
        until = time.monotonic() + ATTACK_SECONDS
        while time.monotonic() < until:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
                with suppress(OSError):
                    sock.sendall(sent)
            time.sleep(0.005)

    ingest.http.bears(attack)
