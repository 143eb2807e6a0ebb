"""Two real ingest workers on one port, the native codec, and a real Valkey that fsyncs before it answers."""

import asyncio
import gzip
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from tests.integration.servers import Server, debian_redis, embedded_valkey, patient_log
from tests.lifeline import tied
from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port
from zero.application.ports import Settlement
from zero.domain.frame import unpack_frame
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.redis.buffer import RedisBuffer
from zero.infrastructure.redis.options import RedisOptions

ENTRY = b'{"message":"hello"}'
PATIENT_MS = "2000"
"""Of the buffer: its silence is not the subject, and a machine with other work may keep it so long."""
JSON = {"Content-Type": "application/json"}


class Workers:
    """Ingest processes that share a port."""

    def __init__(self, url: str, count: int, **environment: str) -> None:
        self.port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        self._environment = inherited | {
            "ZERO_BUFFER_URL": url,
            "ZERO_BUFFER_TIMEOUT_MS": PATIENT_MS,
            "ZERO_INGEST_HTTP": f"127.0.0.1:{self.port}",
            "ZERO_INGEST_GRPC": "",
            **environment,
        }
        self.processes = [self._start() for _ in range(count)]

    def _start(self) -> "subprocess.Popen[bytes]":
        command = tied(sys.executable, "-m", "zero", "ingest")
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE)

    def wait(self) -> "Workers":
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            assert time.monotonic() < deadline, "the workers do not get ready"
            with suppress(OSError):
                if self.get("/ready")[0] == 200:
                    return self
            time.sleep(0.05)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_SECONDS_MAX)

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        with closing(self.connect()) as connection:
            connection.request("POST", "/api/logs", body, JSON | (headers or {}))
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()

    def stop(self) -> list[int]:
        for process in self.processes:
            process.terminate()
        codes = [process.wait(READY_SECONDS_MAX) for process in self.processes]
        for process in self.processes:
            assert process.stderr is not None
            process.stderr.close()
        return codes


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = embedded_valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def workers(valkey: Server) -> Iterator[Workers]:
    workers = Workers(valkey.url, 2).wait()
    yield workers
    assert workers.stop() == [0, 0]


def accepted(url: str) -> int:
    async def ask() -> int:
        buffer = RedisBuffer(RedisOptions(url, timeout_seconds=2.0))
        try:
            ledger = await buffer.ledger()
        finally:
            await buffer.close()
        return ledger["default"].accepted if ledger else 0

    return asyncio.run(ask())


async def drained(url: str) -> list[Any]:
    """Take everything out of the buffer; return the entries."""
    codec, log, entries = NativeCodec(), patient_log(url), []
    try:
        lease = await log.acquire(0, "test")
        while deliveries := await log.read(lease, 1000, 0.0):
            for delivery in deliveries:
                frame = unpack_frame(delivery.data, codec.crc32c)
                entries += read_log_batch(frame.payload)
            await log.settle(lease, Settlement([delivery.position for delivery in deliveries]))
        await log.release(lease)
    finally:
        await log.close()
    return entries


WHOLE_BODY = [
    (b'{"message": ', 400, "body is not valid JSON at byte 12"),
    (b'[{"message":"a"},{"mess', 400, "body is not valid JSON at byte 23"),
    (b'{"message":"a\x00b"}', 400, "body is not valid JSON at byte 13"),
    (b"", 400, "body is empty"),
    (b'{"logs":5}', 400, 'body is neither an entry, nor an array of entries, nor {"logs": [entries]}'),
    (b'"text"', 400, 'body is neither an entry, nor an array of entries, nor {"logs": [entries]}'),
    (b"\n".join([b'{"message":"a"}'] * 20_001), 413, "body has more than 20000 entries"),
    (b" " * (16 * 1024 * 1024 + 1), 413, "the body is larger than 16777216 bytes"),
]


@pytest.mark.parametrize(("body", "status", "message"), WHOLE_BODY, ids=[message for _, _, message in WHOLE_BODY])
def test_an_unreadable_body_is_refused_as_a_whole(workers, body, status, message):
    got, answer = workers.post(body)
    assert (got, answer["error"]["message"]) == (status, message)


ENTRY_ERRORS = [
    (b"{}", "message: missing or empty, limit 1 to 262144 bytes"),
    (b'{"message":""}', "message: missing or empty, limit 1 to 262144 bytes"),
    (b'{"message":"%b"}' % (b"a" * 262_145), "message: 262145 bytes, limit 262144"),
    (b'{"message":"a","app_id":"%b"}' % (b"a" * 129), "app_id: 129 bytes, limit 128"),
    (b'{"message":"a","x":%b1%b}' % (b"[" * 65, b"]" * 65), "nesting deeper than 64"),
    (b'{"message":"a","level":["nope"]}', "level: an array, not text"),
    (b"5", "entry is not an object"),
]


@pytest.mark.parametrize(("entry", "message"), ENTRY_ERRORS, ids=[message for _, message in ENTRY_ERRORS])
def test_a_bad_entry_is_named_and_its_neighbours_are_kept(workers, entry, message):
    status, receipt = workers.post(b'[{"message":"a"},%b,{"message":"b"}]' % entry)
    assert (status, receipt["accepted"], receipt["rejected"]) == (202, 2, 1)
    assert receipt["errors"] == [{"index": 1, "error": message}]
    status, receipt = workers.post(b"[%b]" % entry)
    assert (status, receipt["accepted"], receipt["errors"]) == (400, 0, [{"index": 0, "error": message}])


def test_odd_values_are_kept_exactly_or_as_their_text(workers, valkey):
    asyncio.run(drained(valkey.url))
    bodies = {
        b'{"message":"2^64","n":18446744073709551616}': {"n": "18446744073709551616"},
        b'{"message":"1e400","n":1e400}': {"n": "1e400"},
        b'{"message":"twice","n":1,"n":2}': {"n": 2},
        b'{"message":"nul","n":"a\\u0000b"}': {"n": "a\0b"},
        b'{"message":"utf-8","n":"a\xffb"}': {"n": "a\ufffdb"},
    }
    for body in bodies:
        assert workers.post(body)[0] == 202
    found = {entry.message: dict(entry.metadata) for entry in asyncio.run(drained(valkey.url))}
    assert found == {json.loads(body.replace(b"\xff", b""))["message"]: metadata for body, metadata in bodies.items()}


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_413_and_costs_no_more_memory_than_an_honest_body(valkey, compress):
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux to measure peak memory")
    alone = Workers(valkey.url, 1).wait()
    encoding = {"Content-Encoding": compress.__module__.split(".")[-1].lstrip("_")}
    process = Path(f"/proc/{alone.processes[0].pid}")
    try:
        alone.post(compress(ENTRY), encoding)
        process.joinpath("clear_refs").write_text("5")
        before = memory(process, "VmRSS")
        status, answer = alone.post(compress(bytes(300 << 20)), encoding)
        grown = memory(process, "VmHWM") - before
    finally:
        assert alone.stop() == [0]
    assert (status, answer["error"]["message"]) == (413, "the body is larger than 16777216 bytes after decompression")
    assert grown <= 24 * 1024


def memory(process: Path, field: str) -> int:
    """Return the field of the process's status, in KiB."""
    lines = dict(line.split(":", 1) for line in process.joinpath("status").read_text().splitlines())
    return int(lines[field].split()[0])


def test_a_key_gets_its_first_receipt_again_from_whichever_worker(workers, valkey):
    before = accepted(valkey.url)
    answers = [workers.post(ENTRY, {"Idempotency-Key": "one"}) for _ in range(8)]
    assert answers == [answers[0]] * 8
    assert answers[0][0] == 202
    assert accepted(valkey.url) == before + 1


@pytest.mark.timed
def test_workers_without_descriptors_serve_whom_they_have_and_everybody_when_there_are_some_again(workers: Workers) -> None:
    limits = {process.pid: resource.prlimit(process.pid, resource.RLIMIT_NOFILE) for process in workers.processes}
    with closing(workers.connect()) as served:
        served.request("POST", "/api/logs", ENTRY, JSON)
        assert served.getresponse().read()
        try:
            for pid, (_, most) in limits.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (len([*Path(f"/proc/{pid}/fd").iterdir()]) + 2, most))
            with ExitStack() as strangers:
                for _ in range(60):
                    strangers.enter_context(socket.create_connection(("127.0.0.1", workers.port)))
                for _ in range(3):
                    served.request("POST", "/api/logs", ENTRY, JSON)
                    with closing(served.getresponse()) as answer:
                        assert (answer.status, answer.read() != b"") == (202, True)
        finally:
            for pid, limit in limits.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    assert [workers.post(ENTRY)[0] for _ in range(4)] == [202] * 4


def test_zero_ack_stored_answers_once_the_drain_has_settled(workers, valkey):
    asyncio.run(drained(valkey.url))
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(workers.post(ENTRY, {"Zero-Ack": "stored"})))
    waiting.start()
    time.sleep(0.3)
    assert answers == []
    asyncio.run(drained(valkey.url))
    waiting.join(READY_SECONDS_MAX)
    assert (answers[0][0], answers[0][1]["ack"]) == (202, "stored")


def test_probes_and_metrics_tell_the_truth(workers):
    status, body = workers.get("/ready")
    assert (status, json.loads(body)["durability"]) == (200, "durable")
    workers.post(ENTRY)
    metrics = b"".join(workers.get("/metrics")[1] for _ in range(4))
    assert b"zero_ingest_flush_entries_total" in metrics


def test_curl_with_a_large_compressed_body_and_expect_100(workers, tmp_path):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    body = b"\n".join(b'{"message":"line %d %b"}' % (number, os.urandom(100).hex().encode()) for number in range(15_000))
    path = tmp_path / "body.gz"
    path.write_bytes(gzip.compress(body))
    assert path.stat().st_size > 1024 * 1024
    url = f"http://127.0.0.1:{workers.port}/api/logs"
    fields = ["-H", "Content-Encoding: gzip", "-H", "Content-Type: application/x-ndjson", "-H", "Expect: 100-continue"]
    answer = subprocess.run([curl, "-sS", *fields, "--data-binary", f"@{path}", url], capture_output=True, check=True)
    assert json.loads(answer.stdout)["accepted"] == 15_000


class Load:
    """Threads that post single entries over kept connections and count the acknowledged ones."""

    def __init__(self, workers: Workers, threads: int = 8) -> None:
        self._workers = workers
        self._stop = threading.Event()
        self._counts = [0] * threads
        self.statuses: set[int] = set()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        connection = self._workers.connect()
        while not self._stop.is_set():
            try:
                connection.request("POST", "/api/logs", ENTRY, JSON)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.01)
                continue
            self.statuses.add(response.status)
            self._counts[number] += response.status == 202
        connection.close()

    def finish(self) -> int:
        self._stop.set()
        for thread in self._threads:
            thread.join(READY_SECONDS_MAX)
        return sum(self._counts)


@pytest.mark.timed
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_acknowledged_is_in_the_buffer_when_a_worker_ends_under_load(valkey, number):
    before = accepted(valkey.url)
    pair = Workers(valkey.url, 2).wait()
    load = Load(pair)
    time.sleep(0.7)
    began = time.monotonic()
    pair.processes[0].send_signal(number)
    code = pair.processes[0].wait(READY_SECONDS_MAX)
    assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert time.monotonic() - began < 11
    time.sleep(0.3)
    acknowledged = load.finish()
    pair.stop()
    stored = accepted(valkey.url) - before
    assert acknowledged > 100
    assert acknowledged <= stored
    if number == signal.SIGTERM:
        assert load.statuses == {202}
        assert stored == acknowledged


@pytest.mark.timed
def test_a_buffer_that_is_gone_is_503_at_once_and_202_when_it_is_back(tmp_path):
    server = embedded_valkey(tmp_path).start()
    alone = Workers(server.url, 1, ZERO_BUFFER_TIMEOUT_MS="200").wait()
    try:
        assert alone.post(ENTRY)[0] == 202
        server.kill()
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            status, answer = alone.post(ENTRY)
            slowest = max(slowest, time.monotonic() - began)
            assert (status, answer["error"]["code"]) == (503, "buffer_unavailable")
        assert slowest < 0.5
        assert alone.get("/ready")[0] == 503
        assert alone.get("/health")[0] == 200
        server.start()
        deadline = time.monotonic() + READY_SECONDS_MAX
        while alone.post(ENTRY)[0] != 202:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        codes = alone.stop()
        server.close()
    assert codes == [0]


def test_strict_durability_refuses_to_start_on_a_relaxed_buffer(tmp_path):
    server = debian_redis(tmp_path / "redis")
    server.argv = tuple("everysec" if word == "always" else word for word in server.argv)
    server.start()
    try:
        refused = Workers(server.url, 1, ZERO_DURABILITY="strict")
        error = refused.processes[0].communicate(timeout=READY_SECONDS_MAX)[1]
    finally:
        server.close()
    assert refused.processes[0].returncode != 0
    assert b"ZERO_DURABILITY=strict" in error
