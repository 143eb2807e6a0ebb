"""``zero up`` in a control group that is short of memory, as in a container: flooded, and asked for more than there is."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.e2e import test_up
from tests.e2e.test_up import SETTLE_SECONDS_MAX, Platform
from zero.cli.doctor_machine import file_system
from zero.embedded.clickhouse.options import READER, read_passwords

LIMIT_BYTES, BUFFER_BYTES = 1536 << 20, 256 << 20
FLOOD_SECONDS, SENDERS = 10, 6
HUNGRY = "SELECT length(groupArray(number)) FROM numbers(50000000)"  # 512 MiB, half of what one query may take
GROUPS = Path("/sys/fs/cgroup")


def enter(group):
    """Return the words in front of a command that is to run in a control group."""
    return "/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")


@pytest.fixture
def group():
    """A control group with the limit, and the file that counts who was killed in it."""
    version_1 = (GROUPS / "memory").is_dir()
    folder = GROUPS / ("memory" if version_1 else "") / f"zero-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(LIMIT_BYTES))
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group for memory can be made: {error}")
    seen = (sys.executable, "-P", "-c", "from zero.embedded.memory_limit import memory_limit; print(memory_limit())")
    if int(subprocess.run((*enter(folder), *seen), check=True, capture_output=True).stdout) != LIMIT_BYTES:
        folder.rmdir()
        pytest.skip("control groups have other paths in /sys/fs/cgroup than in /proc/self/cgroup here")
    yield folder, folder / ("memory.oom_control" if version_1 else "memory.events")
    deadline = time.monotonic() + 30
    while (folder / "cgroup.procs").read_text():
        assert time.monotonic() < deadline, "a process outlived its platform"
        time.sleep(0.1)
    folder.rmdir()


class Flood:
    """Senders that do not wait, and queries that want more together than there is; counts the answers."""

    def __init__(self, platform, store):
        self.platform, self.store = platform, store
        self.answers, self.refusals, self.accepted = Counter(), Counter(), 0
        self.body = b"".join(b'{"message":"%07d %b"}\n' % (number, b"x" * 1000) for number in range(2000))
        self.lock, self.ends_at = threading.Lock(), time.monotonic() + FLOOD_SECONDS

    def send(self):
        while time.monotonic() < self.ends_at:
            request = Request(f"{self.platform.ingest}/api/logs", self.body, {"Content-Type": "application/x-ndjson"})
            status, _ = self.asked(request)
            with self.lock:
                self.answers[status] += 1
                self.accepted += 2000 * (status == 202)
            time.sleep(0.05 * (status != 202))

    def ask(self):
        request = Request(self.store, HUNGRY.encode())
        while time.monotonic() < self.ends_at:
            status, text = self.asked(request)
            with self.lock:
                self.refusals[f"{status} {text.split('.')[0][:40]}"] += 1

    @staticmethod
    def asked(request):
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return "cut", str(error)

    def run(self):
        threads = [threading.Thread(target=work) for work in (self.send,) * SENDERS + (self.ask,) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="control groups are of Linux")
def test_in_a_container_short_of_memory_queries_are_refused_and_nobody_is_killed(group, tmp_path, monkeypatch):
    folder, deaths = group
    if file_system(tmp_path) == "tmpfs":
        pytest.skip("the files of a platform on a tmpfs are memory of its control group")
    monkeypatch.setattr(test_up, "ZERO", (*enter(folder), *test_up.ZERO))
    platform = Platform(tmp_path)
    platform.environment["ZERO_BUFFER_MEMORY_MAX_BYTES"] = str(BUFFER_BYTES)
    try:
        platform.up()
        password = read_passwords(tmp_path / "data" / "clickhouse" / "passwords")[READER]
        store = f"http://{platform.environment['ZERO_EMBEDDED_CLICKHOUSE']}/?user={READER}&password={password}"
        flood = Flood(platform, store)
        flood.run()
        assert "oom_kill 0" in deaths.read_text(), (platform.said()[-3000:], flood.refusals)
        assert set(flood.answers) <= {202, 429, 503} and flood.answers[202] > 0, flood.answers
        assert any("241" in answer for answer in flood.refusals), flood.refusals
        allowed = ("200", "241", "159")  # or it took more than 30 s
        assert all(any(code in answer for code in allowed) for answer in flood.refusals), flood.refusals
        platform.until(lambda: flood.asked(Request(store, b"SELECT count() FROM zero.logs"))[0] == 200, SETTLE_SECONDS_MAX)
        platform.until(lambda: platform.get("/api/ledger")["in_buffer"] == 0, SETTLE_SECONDS_MAX)
        ledger = platform.get("/api/ledger")
        assert ledger["balanced"] and ledger["rows"] >= flood.accepted, ledger
        assert "zero_restarts_total{" not in platform.metrics()
        assert platform.stop() == 0, platform.said()[-3000:]
    finally:
        if platform.process is not None and platform.process.poll() is None:
            platform.process.kill()
            platform.process.wait()
