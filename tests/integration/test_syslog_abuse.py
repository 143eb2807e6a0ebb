"""Hostile senders against a real ingest worker: each costs little memory, others hardly notice, every loss is counted."""

import asyncio
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.integration.servers import Server, embedded_valkey, patient_log
from tests.integration.test_http2_abuse import ATTACK_SECONDS, MEMORY_BYTES_MAX, PAUSE_SECONDS, Worker
from tests.integration.test_http_clients import zero_certs
from tests.integration.test_ingest_http import Workers, drained
from tests.integration.test_ingest_syslog import Syslog, stream_over_tls
from tests.patience import READY_SECONDS_MAX, hardly_noticed
from tests.ports import free_port
from zero.application.ports import Settlement

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc"),
]

MILLION = 1_000_000


class SyslogWorker(Worker):
    """One ingest process with every syslog listener; HTTP stays in plaintext for the well-behaved client."""

    def __init__(self, valkey: Server, **environment: str) -> None:
        self.valkey = valkey
        self.ports = {transport: free_port() for transport in ("tcp", "udp")}
        listeners = {f"ZERO_SYSLOG_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.workers = Workers(valkey.url, 1, **listeners, **environment).wait()
        self.port = self.workers.port
        self._folder = Path(f"/proc/{self.workers.processes[0].pid}")
        self.send(b"<13>warm\n" * 20_000)  # what is imported and allocated once is not the attack's
        self.settled(20_000)

    def connect(self, transport: str = "tcp") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[transport]), timeout=READY_SECONDS_MAX)

    def send(self, data: bytes) -> None:
        with closing(self.connect()) as sock:
            sock.sendall(data)

    def metric(self, name: str) -> int:
        text = self.workers.get("/metrics")[1].decode()
        return sum(int(float(value)) for value in re.findall(rf"^{re.escape(name)}\S* ([0-9.e+]+)$", text, re.MULTILINE))

    def settled(self, count: int) -> None:
        """Wait until so many are in the buffer, or counted as lost."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while (found := self.taken() + self.lost()) < count:
            assert time.monotonic() < deadline, (found, count)
            time.sleep(0.1)

    def taken(self) -> int:
        return self.metric("zero_syslog_taken_messages_total")

    def lost(self) -> int:
        return self.metric("zero_syslog_lost_messages_total")

    def costs_little(self, attack: Callable[[Callable[[], None]], None]) -> None:
        """Run the attack, which calls what it is given now and then, and judge its cost in memory and in others' time."""
        before, peak = self.memory(), 0

        def look() -> None:
            nonlocal peak
            peak = max(peak, self.memory())

        def act() -> None:
            until = time.monotonic() + ATTACK_SECONDS
            while time.monotonic() < until:
                attack(look)
                time.sleep(PAUSE_SECONDS)

        hardly_noticed(self.calm_p99, lambda: self.p99_while(act))
        assert peak - before <= MEMORY_BYTES_MAX, (peak - before) >> 20


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def worker(valkey: Server) -> Iterator[SyslogWorker]:
    worker = SyslogWorker(valkey)
    yield worker
    assert worker.workers.stop() == [0]


def empty(worker: SyslogWorker) -> None:
    """Take everything out of the buffer, unread."""

    async def settle() -> None:
        log = patient_log(worker.valkey.url)
        try:
            lease = await log.acquire(0, "test")
            while deliveries := await log.read(lease, 20, 0.0):
                await log.settle(lease, Settlement([delivery.position for delivery in deliveries]))
            await log.release(lease)
        finally:
            await log.close()

    asyncio.run(settle())


def test_a_million_tiny_messages_cost_no_memory_and_none_is_lost(worker: SyslogWorker) -> None:
    before = worker.taken()
    lines, pieces, sent = b"<13>x\n" * (MILLION // 100), 100, 0

    def attack(look: Callable[[], None]) -> None:
        nonlocal sent
        with closing(worker.connect()) as sock:
            for _ in range(pieces):
                sock.sendall(lines)
                look()
                time.sleep(PAUSE_SECONDS / 10)
        sent += MILLION
        worker.settled(before + sent)
        look()

    worker.costs_little(attack)
    assert worker.taken() - before == sent
    empty(worker)


def test_tiny_datagrams_cost_no_memory_and_every_loss_is_counted(worker: SyslogWorker) -> None:
    before, sent = worker.taken() + worker.lost(), 0

    def attack(look: Callable[[], None]) -> None:
        nonlocal sent
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", worker.ports["udp"]))
            for number in range(100_000):
                sock.send(b"x")
                if number % 1_000 == 0:
                    look()
                    time.sleep(0.01)
        sent += 100_000
        worker.settled(before + sent)

    worker.costs_little(attack)
    assert worker.taken() + worker.lost() - before == sent
    empty(worker)


ENDLESS = {
    "a line that does not end": b"<13>",
    "a count of a billion": b"1000000000 <13>",
    "the largest count there is": b"99999999 <13>",
}


@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
def test_a_message_without_end_costs_no_memory_and_is_counted_once(worker: SyslogWorker, start: bytes) -> None:
    lost, attacks = worker.lost(), 0

    def attack(look: Callable[[], None]) -> None:
        nonlocal attacks
        attacks += 1
        with closing(worker.connect()) as sock:
            sock.sendall(start)
            for _ in range(64):
                sock.sendall(b"x" * (1 << 20))
                look()
                time.sleep(PAUSE_SECONDS / 10)

    worker.costs_little(attack)
    deadline = time.monotonic() + READY_SECONDS_MAX
    while worker.lost() < lost + attacks:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert worker.lost() == lost + attacks


def test_many_halves_of_large_messages_have_one_bound(worker: SyslogWorker) -> None:
    def attack(look: Callable[[], None]) -> None:
        with ExitStack() as stack:
            for _ in range(200):
                sock = stack.enter_context(closing(worker.connect()))
                with suppress(OSError):
                    sock.sendall(b"<13>" + b"x" * 250_000)
                look()
                time.sleep(PAUSE_SECONDS / 10)

    worker.costs_little(attack)
    before = worker.taken()
    worker.send(b"<13>honest\n")
    worker.settled(before + 1)


def test_half_open_connections_leave_room_for_others(worker: SyslogWorker) -> None:
    """One address has its share of the streams; who resets instead of closing leaves nothing behind."""

    def attack(look: Callable[[], None]) -> None:
        with ExitStack() as stack:
            for _ in range(400):
                sock = stack.enter_context(closing(worker.connect()))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with suppress(OSError):
                    sock.sendall(b"1")
            look()

    worker.costs_little(attack)
    assert worker.metric('zero_syslog_connection_closed_total{reason="too_many"}') >= 100
    before = worker.taken()
    deadline = time.monotonic() + READY_SECONDS_MAX
    while worker.taken() == before:
        assert time.monotonic() < deadline
        with suppress(OSError):
            worker.send(b"<13>honest\n")
        time.sleep(0.05)


def test_handshakes_that_do_not_end_make_way_for_those_that_do(valkey: Server, tmp_path: Path) -> None:
    zero_certs(tmp_path)
    workers = Syslog(valkey, tmp_path)
    try:
        workers.wait()
        with ExitStack() as stack:
            for _ in range(1_500):
                stack.enter_context(
                    closing(socket.create_connection(("127.0.0.1", workers.ports["tls"]), timeout=READY_SECONDS_MAX))
                )
            with stream_over_tls(workers) as sock:
                sock.sendall(b"<13>honest: hello\n")
                assert "honest" in {entry.app_id for entry in workers.entries(1)}
    finally:
        assert workers.stop() == [0, 0]


HOSTILE = {
    "an overlong slash": (b"\xc0\xaf", "\ufffd\ufffd"),
    "half of a surrogate pair": (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    "beyond the last character": (b"\xf5\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),
    "cut in the middle": (b"\xf0\x9f\x98", "\ufffd"),
    "escape sequences": ("\x1b[2J\x9b31m".encode(), "\x1b[2J\x9b31m"),
    "NUL within": (b"a\0b", "a\0b"),
    "right to left": ("\u202etxt.exe".encode(), "\u202etxt.exe"),
    "a byte order mark within": ("a\ufeffb".encode(), "a\ufeffb"),
    "a thousand combining marks": (("e" + "\u0301" * 1000).encode(), "e" + "\u0301" * 1000),
    "line separators of Unicode": ("a\u2028b\x85c".encode(), "a\u2028b\x85c"),
}


@pytest.mark.parametrize(("raw", "text"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_unicode_is_stored_as_it_is_or_repaired(worker: SyslogWorker, raw: bytes, text: str) -> None:
    empty(worker)
    before = worker.taken()
    message = b"<13>1 - h a - - - " + raw
    worker.send(b"%d %b" % (len(message), message))
    worker.settled(before + 1 + worker.lost())
    assert [entry.message for entry in asyncio.run(drained(worker.valkey.url))] == [text]
