"""Floods of HTTP/2 against a real ingest worker: each is ended at once, costs no memory, and others hardly notice."""

import itertools
import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from statistics import median

import pytest
from hpack import Encoder

from tests.integration.servers import Server, embedded_valkey
from tests.integration.test_ingest_http import ENTRY, Workers
from tests.patience import READY_SECONDS_MAX, hardly_noticed

pytestmark = [
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc"),
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
PROTOCOL_ERROR, STREAM_CLOSED, ENHANCE_YOUR_CALM = 1, 5, 11
POST = [(":method", "POST"), (":scheme", "http"), (":authority", "zero"), (":path", "/api/logs")]

ENDED_SECONDS_MAX = 1.0
MEMORY_BYTES_MAX = 32 << 20
ATTACK_SECONDS = 1.0
PAUSE_SECONDS = 0.05  # between two connections: without it the attacker would compete for the same cores, and win
CALM_SECONDS = 0.5


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream_id) + payload


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def streams() -> Iterator[int]:
    return itertools.count(1, 2)


def plain_block() -> bytes:
    """A head that leaves the table as it is."""
    return Encoder().encode([(*field, True) for field in [*POST, ("content-type", "application/json")]])


def rapid_reset() -> Iterator[bytes]:
    """CVE-2023-44487: open and cancel."""
    block = plain_block()
    for stream_id in streams():
        yield frame(HEADERS, END_HEADERS, stream_id, block) + frame(RST_STREAM, 0, stream_id, number(8))


def rapid_reset_of_whole_requests() -> Iterator[bytes]:
    """The same, once the work has begun."""
    block = plain_block()
    for stream_id in streams():
        request = frame(HEADERS, END_HEADERS, stream_id, block) + frame(DATA, END_STREAM, stream_id, ENTRY)
        yield request + frame(RST_STREAM, 0, stream_id, number(8))


def made_you_reset(fault: Callable[[int], bytes]) -> Callable[[], Iterator[bytes]]:
    """CVE-2025-8671: make the server cancel what it works on."""

    def flood() -> Iterator[bytes]:
        block = plain_block()
        for stream_id in streams():
            request = frame(HEADERS, END_HEADERS, stream_id, block) + frame(DATA, END_STREAM, stream_id, ENTRY)
            yield request + fault(stream_id)

    return flood


def malformed_heads() -> Iterator[bytes]:
    block = Encoder().encode([(*field, True) for field in [*POST, ("connection", "close")]])
    for stream_id in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream_id, block)


def continuation(payload: bytes) -> Callable[[], Iterator[bytes]]:
    """CVE-2024-27316: a head without end."""

    def flood() -> Iterator[bytes]:
        yield frame(HEADERS, END_STREAM, 1, plain_block())
        yield from itertools.repeat(frame(CONTINUATION, 0, 1, payload))

    return flood


def hpack_bomb() -> Iterator[bytes]:
    """A field of 4 KB in the table, then one byte for each time it is meant."""
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    for stream_id in streams():
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream_id, entry if stream_id == 1 else b"\xbe" * 16_000)


def waiting_heads() -> Iterator[bytes]:
    """CVE-2026-49975: small heads that are large when decoded, on streams that never end, under a window that stays shut."""
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for stream_id in streams():
        yield frame(HEADERS, END_HEADERS, stream_id, plain_block() + (entry if stream_id == 1 else b"\xbe" * 7))


def distinct_heads() -> Iterator[bytes]:
    """Heads that have to be decoded each time, and take long."""
    block = Encoder().encode([(*field, True) for field in [*POST, ("x", "0" * 12_000)]])
    for stream_id in streams():
        head = block + b"\x00\x01y\x08%08d" % stream_id
        yield frame(HEADERS, END_HEADERS, stream_id, head) + frame(RST_STREAM, 0, stream_id, number(8))


def repeated(data: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.repeat(data)


def on_an_open_stream(data: bytes) -> Callable[[], Iterator[bytes]]:
    def flood() -> Iterator[bytes]:
        yield frame(HEADERS, END_HEADERS, 1, plain_block())
        yield from itertools.repeat(data)

    return flood


FLOODS: dict[str, tuple[Callable[[], Iterator[bytes]], set[int]]] = {
    "rapid reset": (rapid_reset, {ENHANCE_YOUR_CALM}),
    "rapid reset of whole requests": (rapid_reset_of_whole_requests, {ENHANCE_YOUR_CALM}),
    "made you reset by WINDOW_UPDATE of nothing": (
        made_you_reset(lambda stream_id: frame(WINDOW_UPDATE, 0, stream_id, number(0))), {PROTOCOL_ERROR},
    ),
    "made you reset by DATA behind the end": (
        made_you_reset(lambda stream_id: frame(DATA, 0, stream_id, b"x")), {STREAM_CLOSED},
    ),
    "made you reset by malformed heads": (malformed_heads, {ENHANCE_YOUR_CALM}),
    "continuation": (continuation(b"\x00\x01x\x7f\x00" + b"y" * 127), {ENHANCE_YOUR_CALM}),
    "large continuation": (continuation(b"y" * 16_000), {ENHANCE_YOUR_CALM}),
    "empty continuation": (continuation(b""), {ENHANCE_YOUR_CALM}),
    "HPACK bomb": (hpack_bomb, {ENHANCE_YOUR_CALM}),
    "waiting heads": (waiting_heads, {ENHANCE_YOUR_CALM}),
    "distinct heads": (distinct_heads, {ENHANCE_YOUR_CALM}),
    "SETTINGS": (repeated(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535) * 10)), {ENHANCE_YOUR_CALM}),
    "PING": (repeated(frame(PING, 0, 0, b"12345678")), {ENHANCE_YOUR_CALM}),
    "PRIORITY": (repeated(frame(PRIORITY, 0, 1, b"\x00\x00\x00\x05\x10")), {ENHANCE_YOUR_CALM}),
    "unknown frames": (repeated(frame(0xFA, 0, 0, b"x")), {ENHANCE_YOUR_CALM}),
    "WINDOW_UPDATE": (repeated(frame(WINDOW_UPDATE, 0, 0, number(1))), {ENHANCE_YOUR_CALM}),
    "empty DATA": (on_an_open_stream(frame(DATA, 0, 1)), {ENHANCE_YOUR_CALM}),
    "padded empty DATA": (on_an_open_stream(frame(DATA, 8, 1, b"\xff" + bytes(255))), {ENHANCE_YOUR_CALM}),
    "tiny DATA": (on_an_open_stream(frame(DATA, 0, 1, b" ")), {ENHANCE_YOUR_CALM}),
}  # fmt: skip


class Worker:
    """One ingest process, its memory, and how long others wait for it."""

    def __init__(self, url: str) -> None:
        self.workers = Workers(url, 1).wait()
        self.port = self.workers.port
        self._folder = Path(f"/proc/{self.workers.processes[0].pid}")
        self.attacked(rapid_reset)  # what is imported and allocated once is not the flood's

    def memory(self) -> int:
        (line,) = (line for line in (self._folder / "status").read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) << 10

    def attacked(self, flood: Callable[[], Iterator[bytes]]) -> tuple[int, float]:
        """Flood on one connection until it is closed; return the error code of the GOAWAY, and the seconds until it came."""
        with closing(socket.create_connection(("127.0.0.1", self.port))) as sock:
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
            began, heard, frames = time.monotonic(), b"", flood()
            sock.settimeout(2)
            with suppress(ConnectionError):
                while time.monotonic() - began < 3:
                    if select.select([sock], [], [], 0)[0]:
                        data = sock.recv(65536)
                        heard += data
                        if not data or goaway_in(heard) is not None:
                            break
                    sock.sendall(b"".join(itertools.islice(frames, 50)))
            with suppress(ConnectionError, TimeoutError):
                while goaway_in(heard) is None and (data := sock.recv(65536)):
                    heard += data
            code = goaway_in(heard)
            assert code is not None, "the flood was not told to stop"
            return code, time.monotonic() - began

    def calm_p99(self) -> float:
        return self.p99_while(lambda: time.sleep(CALM_SECONDS))

    def p99_while(self, act: Callable[[], None]) -> float:
        """Return the 99th percentile of the seconds that a well-behaved client waits meanwhile."""
        command = [sys.executable, str(Path(__file__).parent / "abuse" / "well_behaved.py"), "post", str(self.port)]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"begun\n"
            act()
            found = json.loads(client.communicate(timeout=READY_SECONDS_MAX)[0])
        finally:
            client.kill()
        assert found["answers"] == [202]
        return float(found["p99"])


def goaway_in(data: bytes) -> int | None:
    """Return the error code of the first GOAWAY that is an error."""
    at = 0
    while len(data) - at >= 9:
        both, _, _ = struct.unpack_from(">IBI", data, at)
        end = at + 9 + (both >> 8)
        if end > len(data):
            return None
        if both & 0xFF == GOAWAY:
            return int(struct.unpack_from(">I", data, at + 13)[0])
        at = end
    return None


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def worker(valkey: Server) -> Iterator[Worker]:
    worker = Worker(valkey.url)
    yield worker
    assert worker.workers.stop() == [0]


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_ended_at_once_and_costs_neither_memory_nor_the_time_of_others(worker, name):
    flood, codes = FLOODS[name]
    before, peak, ended = worker.memory(), 0, []

    def attack() -> None:
        nonlocal peak
        until = time.monotonic() + ATTACK_SECONDS
        while time.monotonic() < until:
            ended.append(worker.attacked(flood))
            peak = max(peak, worker.memory())
            time.sleep(PAUSE_SECONDS)

    hardly_noticed(worker.calm_p99, lambda: worker.p99_while(attack))
    assert {code for code, _ in ended} <= codes
    assert median(seconds for _, seconds in ended) < ENDED_SECONDS_MAX
    assert peak - before <= MEMORY_BYTES_MAX


def test_every_flood_was_counted_by_its_kind(worker):
    for flood, _ in FLOODS.values():
        worker.attacked(flood)
    text = worker.workers.get("/metrics")[1].decode()
    kinds = {line.split('"')[1] for line in text.splitlines() if line.startswith("zero_h2_abuse_total{")}
    assert kinds >= {"rapid_reset", "continuation", "header_list", "settings", "ping", "priority", "window_update", "tiny_data"}


def test_many_connections_with_open_streams_stay_within_the_budget_of_the_process(worker):
    """Bodies that never end: what is over the budget is answered 429, and the process stays as it is."""
    before = worker.memory()
    body = frame(DATA, 0, 1, b" " * 16_000) * 60
    socks = []
    try:
        for _ in range(100):
            sock = socket.create_connection(("127.0.0.1", worker.port))
            socks.append(sock)
            sock.settimeout(0.5)
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, plain_block()) + body)
        assert worker.memory() - before < (64 << 20) * 1.3 + MEMORY_BYTES_MAX
        assert worker.workers.get("/health")[0] == 200
    finally:
        for sock in socks:
            sock.close()
    time.sleep(0.2)
    assert worker.workers.post(b" " * 100_000 + ENTRY)[0] == 202
