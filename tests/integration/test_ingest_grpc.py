"""Real ingest workers and a real Valkey: shared port, stop, and what hostile peers cost in memory, time and to others."""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.integration.h2_frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    RawPeer,
    frame,
    head,
    literal,
    message,
)
from tests.integration.servers import Server, embedded_valkey
from tests.integration.test_ingest_http import PATIENT_MS
from tests.patience import READY_SECONDS_MAX, TRIES_MAX, best, hardly_noticed
from tests.ports import free_port
from tests.unit.interfaces.ingest_grpc.conftest import batch, parsed

INGEST, STREAM = "/zero.v1.LogService/IngestLogs", "/zero.v1.LogService/IngestStream"
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
MIB = 1 << 20
MEMORY_MAX_MIB = 32


class Worker:
    """One ingest process that serves gRPC."""

    def __init__(self, url: str, port: int | None = None) -> None:
        self.port = port or free_port()
        environment = {
            "ZERO_BUFFER_URL": url,
            "ZERO_BUFFER_TIMEOUT_MS": PATIENT_MS,
            "ZERO_INGEST_HTTP": f"127.0.0.1:{free_port()}",
        }
        environment |= {"ZERO_INGEST_GRPC": f"127.0.0.1:{self.port}", "ZERO_LOG_LEVEL": "error"}
        self.process = subprocess.Popen([sys.executable, "-m", "zero", "ingest"], env=environment, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.max_send_message_length", -1)])

    def ingest(self, body: bytes, path: str = INGEST, **more: object) -> bytes:
        answer: bytes = self.channel.unary_unary(path)(body, timeout=READY_SECONDS_MAX, **more)
        return answer

    def memory_mib(self, field: str = "VmRSS") -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def p99_seconds(self, count: int = 200) -> float:
        """Return what a well-behaved client waits for one entry, at worst but for the worst hundredth."""
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            self.ingest(batch("well-behaved"))
            times.append(time.perf_counter() - begun)
        return sorted(times)[int(count * 0.99)]

    def stop(self) -> int:
        self.channel.close()
        self.process.terminate()
        code = self.process.wait(READY_SECONDS_MAX)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def worker(valkey: Server) -> Iterator[Worker]:
    worker = Worker(valkey.url)
    worker.ingest(batch("warm"))
    yield worker
    assert worker.stop() == 0


@pytest.fixture
def peer(worker: Worker) -> Iterator[Callable[[], RawPeer]]:
    peers: list[RawPeer] = []

    def connect() -> RawPeer:
        peers.append(RawPeer(worker.port))
        return peers[-1]

    yield connect
    for one in peers:
        one.close()


@pytest.fixture
def frugal(worker: Worker) -> Iterator[None]:
    """Holds a test to the memory it may cost, and the door to its work afterwards."""
    worker.p99_seconds(20)
    worker.forget_peak()
    before = worker.memory_mib()
    yield
    cost = worker.memory_mib("VmHWM") - before
    assert cost <= MEMORY_MAX_MIB, f"+{cost:.0f} MiB"
    worker.ingest(batch("still there"))


def open_rpc(peer: RawPeer, path: str = INGEST, stream: int = 1, *more: tuple[str, str]) -> RawPeer:
    peer.send(frame(HEADERS, END_HEADERS, stream, head(path, *more)))
    return peer


def test_workers_share_the_port_and_stop_in_order(valkey: Server) -> None:
    first = Worker(valkey.url)
    second = Worker(valkey.url, first.port)
    for number in range(20):
        with grpc.insecure_channel(f"127.0.0.1:{first.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            receipt = parsed("zero.v1.IngestReceipt", channel.unary_unary(INGEST)(batch(f"{number}"), timeout=60))
            assert receipt.accepted == 1
    assert (first.stop(), second.stop()) == (0, 0)


@pytest.mark.usefixtures("frugal")
def test_a_message_beyond_the_limit_is_refused_for_good(worker: Worker) -> None:
    with pytest.raises(grpc.RpcError) as error:
        worker.ingest(bytes(17 * MIB))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(error.value.trailing_metadata())


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("path", [INGEST, STREAM, EXPORT])
def test_a_compression_bomb_is_refused_for_good(worker: Worker, path: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        worker.ingest(bytes(128 * MIB), path, compression=grpc.Compression.Gzip)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.value.trailing_metadata())


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (message(b"abc", size=(1 << 32) - 1), {"8"}),
        (message(b"abc", size=16), {"3", ""}),
        (message(b"abc", flag=1), {"13"}),
        (message(b"\x0a\x01\xff", flag=7), {"3", "13", ""}),
        (b"\x00\x00", {"3", ""}),
        (b"", {"3"}),
    ],
    ids=["4 GiB", "cut off", "not compressed", "unknown flag", "half a prefix", "nothing"],
)
def test_a_prefix_that_lies_is_refused(peer: Callable[[], RawPeer], data: bytes, statuses: set[str]) -> None:
    raw = open_rpc(peer())
    raw.send(frame(0, END_STREAM, 1, data))
    assert raw.status(2 if "" in statuses else READY_SECONDS_MAX) in statuses


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_broken_compression_is_refused(peer: Callable[[], RawPeer], coding: str) -> None:
    raw = open_rpc(peer(), INGEST, 1, ("grpc-encoding", coding))
    raw.body(1, message(b"\x1f\x8b\x08\x00broken" if coding == "gzip" else b"\x78\x9cbroken", flag=1))
    assert raw.status() == "3"


@pytest.mark.usefixtures("frugal")
def test_deep_nesting_costs_no_stack(worker: Worker) -> None:
    value = b""
    for _ in range(20_000):
        value = b"\x2a" + _varint(len(value) + len(_varint(len(value))) + 1) + b"\x0a" + _varint(len(value)) + value
        if len(value) > MIB:
            break
    record = b"\x2a" + _varint(len(value)) + value
    scope = b"\x12" + _varint(len(record)) + record
    resource = b"\x12" + _varint(len(scope)) + scope
    body = b"\x0a" + _varint(len(resource)) + resource
    try:
        worker.ingest(body, EXPORT)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("body", [b"", batch("tiny")], ids=["empty", "one entry"])
def test_a_flood_of_tiny_messages_in_a_stream_is_over_in_bounded_time(peer: Callable[[], RawPeer], body: bytes) -> None:
    raw = open_rpc(peer(), STREAM)
    data = message(body) * (1_000_000 if not body else 20_000)
    raw.body(1, data, seconds=READY_SECONDS_MAX)
    assert raw.status(READY_SECONDS_MAX) == ("3" if not body else "0")


@pytest.mark.alone
@pytest.mark.usefixtures("frugal")
def test_half_sent_messages_do_not_add_up(worker: Worker, peer: Callable[[], RawPeer]) -> None:
    def half_send() -> float:
        for _ in range(100 // TRIES_MAX):
            raw = open_rpc(peer())
            raw.body(1, message(bytes(200_000), size=15 * MIB), end=False, seconds=0.05)
        return worker.p99_seconds()

    hardly_noticed(worker.p99_seconds, half_send)


FLOODS: dict[str, Callable[[], bytes]] = {
    "ping": lambda: frame(PING, 0, 0, b"12345678") * 20_000,
    "settings": lambda: frame(SETTINGS, 0, 0) * 50_000,
    "rapid reset": lambda: b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, head(INGEST))
        + frame(RST_STREAM, 0, 2 * number + 1, struct.pack(">I", 8))
        for number in range(20_000)
    ),
    "continuation": lambda: (
        frame(HEADERS, 0, 1, head(INGEST))
        + b"".join(frame(CONTINUATION, 0, 1, literal(f"a{number}", "b" * 1000)) for number in range(8_000))
    ),
    "large head": lambda: frame(
        HEADERS, END_HEADERS, 1, head(INGEST) + b"".join(literal(f"a{number}", "b" * 100) for number in range(120))
    ),
}


@pytest.mark.alone
@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("name", FLOODS)
def test_floods_of_frames_slow_nobody_down(worker: Worker, peer: Callable[[], RawPeer], name: str) -> None:
    flood = FLOODS[name]()

    def flooded() -> float:
        peer().send(flood)
        return worker.p99_seconds()

    hardly_noticed(worker.p99_seconds, flooded)


@pytest.mark.alone
def test_header_tables_that_unfold_are_bounded(worker: Worker, peer: Callable[[], RawPeer]) -> None:
    worker.forget_peak()
    before = worker.memory_mib()
    remembered = b"\x40\x03abc\x7f\x81\x1e" + b"v" * (127 + 1 + 0x1E * 128)
    raw = peer()
    raw.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head(INGEST) + remembered))
    unfolding = head(INGEST) + b"\xbe" * 15_000
    raw.send(b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, unfolding) for number in range(1, 128)))
    assert best(worker.p99_seconds) < 0.25
    assert worker.memory_mib("VmHWM") - before <= MEMORY_MAX_MIB


@pytest.mark.alone
@pytest.mark.usefixtures("frugal")
def test_connections_that_say_nothing_are_bounded(worker: Worker) -> None:
    sockets = [socket.create_connection(("127.0.0.1", worker.port), timeout=2) for _ in range(900)]
    try:
        assert best(worker.p99_seconds) < 0.25
    finally:
        for sock in sockets:
            sock.close()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
