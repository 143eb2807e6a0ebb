"""A disk that is slow, and one that fails: calls of the servers are delayed, or answered with EIO, by strace."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.e2e.test_up import Platform
from tests.patience import READY_SECONDS_MAX

FSYNC_SECONDS, SENDERS = 1.5, 4
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: deploy/machine.sh test-packages"),
]


class Injector:
    """Does something to every fsync of a process, as ``strace -e inject``, until the end of the block."""

    def __init__(self, pid, what, folder):
        self.pid, self.output = pid, folder / f"strace-{pid}"
        calls = "fsync,fdatasync"
        words = (
            "strace",
            "-f",
            "-qq",
            "-p",
            str(pid),
            "-e",
            f"trace={calls}",
            "-e",
            f"inject={calls}:{what}",
            "-o",
            self.output,
        )
        self.process = subprocess.Popen(words)

    def __enter__(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while "TracerPid:\t0\n" in Path(f"/proc/{self.pid}/status").read_text():
            if self.process.poll() is not None:
                pytest.skip("strace may not attach to a process here")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def hits(self):
        return sum(mark in line for line in self.output.read_text().splitlines() for mark in ("(INJECTED)", "(DELAYED)"))


class Sender(threading.Thread):
    """Sends batches of fifty, a key each, until it is told to stop; keeps those that were not acknowledged."""

    def __init__(self, platform, name, stop):
        super().__init__()
        self.platform, self.tag, self.stop = platform, name, stop
        self.sent, self.open, self.answers, self.waits = 0, [], Counter(), []

    def run(self):
        while not self.stop.is_set():
            key = f"{self.tag}-{self.sent}"
            self.sent += 1
            if not self.post(key):
                self.open.append(key)

    def post(self, key):
        body = json.dumps([{"message": f"{key} {index}"} for index in range(50)]).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        started = time.monotonic()
        try:
            with urlopen(Request(f"{self.platform.ingest}/api/logs", body, headers), timeout=60) as answer:
                status = answer.status
        except HTTPError as error:
            with error:
                status = error.code
        except OSError:
            status = "cut"
        self.answers[status] += 1
        if status == 202:
            self.waits.append(time.monotonic() - started)
        else:
            time.sleep(0.2)
        return status == 202

    def finish(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while self.open:
            assert time.monotonic() < deadline, (self.open, self.answers)
            self.open = [key for key in self.open if not self.post(key)]


@pytest.fixture
def platform(tmp_path):
    running = Platform(tmp_path)
    running.up()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
    running.log.close()


def server(platform, name):
    """Return the server of this platform; a buffer and a store call themselves by their own names."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(platform.process.pid) and name in path.read_text():
                return int(path.parent.name)
        except OSError:  # it has ended
            continue
    raise AssertionError(f"no {name} below {platform.process.pid}")


def test_a_buffer_whose_fsync_takes_1500_ms_loses_nothing_when_it_is_killed(platform, tmp_path):
    stop = threading.Event()
    senders = [Sender(platform, f"sender-{number}", stop) for number in range(SENDERS)]
    try:
        with Injector(server(platform, "valkey-server"), f"delay_enter={FSYNC_SECONDS * 1e6:.0f}", tmp_path) as injector:
            for sender in senders:
                sender.start()
            platform.until(lambda: injector.hits() >= 3 and any(sender.waits for sender in senders), READY_SECONDS_MAX)
            os.kill(platform.process.pid, signal.SIGKILL)
            platform.process.wait()
            platform.log.close()
    finally:
        stop.set()
    for sender in senders:
        sender.join()
    answers = sum((sender.answers for sender in senders), Counter())
    assert set(answers) <= {202, 429, 503, "cut"} and answers["cut"], answers
    assert min(wait for sender in senders for wait in sender.waits) >= FSYNC_SECONDS, "an acknowledgement waits for the disk"
    platform.up()
    for sender in senders:
        sender.finish()
    platform.until_balanced(50 * sum(sender.sent for sender in senders))
    assert platform.stop() == 0


def test_rows_whose_fsync_failed_in_the_store_are_not_taken_for_stored(platform, tmp_path):
    with Injector(server(platform, "zero.embedded.clickhouse"), "error=EIO", tmp_path) as injector:
        for number in range(20):
            assert platform.post([{"message": f"{number} {index}"} for index in range(50)])[0] == 202
        platform.until(lambda: injector.hits() >= 3, READY_SECONDS_MAX)
        assert platform.get("/api/ledger")["stored"] == 0
    platform.until_balanced(1000)
    assert platform.stop() == 0
