"""The real thing: ``zero up`` with every part, logs in by curl and ``zero send``, out by search; stop, and start again."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.lifeline import tied
from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port

ZERO = (sys.executable, "-P", "-m", "zero")
START_SECONDS_MAX = 120
SETTLE_SECONDS_MAX = 120


class Platform:
    """One data folder, its ports, and ``zero up`` on them."""

    def __init__(self, folder):
        self.folder = folder
        ingest, grpc, api, store = (free_port() for _ in range(4))
        self.ingest, self.api = f"http://127.0.0.1:{ingest}", f"http://127.0.0.1:{api}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        self.environment = {
            **kept,
            "ZERO_DATA_DIR": str(folder / "data"),
            "ZERO_INGEST_HTTP": f"127.0.0.1:{ingest}",
            "ZERO_INGEST_GRPC": f"127.0.0.1:{grpc}",
            "ZERO_API": f"127.0.0.1:{api}",
            "ZERO_EMBEDDED_CLICKHOUSE": f"127.0.0.1:{store}",
            "ZERO_INGEST_WORKERS": "2",
            "ZERO_BUFFER_TIMEOUT_MS": "2000",
            "ZERO_STOP_SECONDS_MAX": "60",
        }
        self.process = None

    def command(self, *arguments, **more):
        return subprocess.run(
            (*ZERO, *arguments), env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, **more
        )

    def up(self):
        self.log = (self.folder / "up.log").open("w+")
        self.process = subprocess.Popen(
            tied(*ZERO, "up"),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.until(lambda: "zero is ready after" in self.said(), START_SECONDS_MAX)

    def said(self):
        return (self.folder / "up.log").read_text()

    def until(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def get(self, path):
        with urlopen(f"{self.api}{path}", timeout=60) as answer:
            return json.load(answer)

    def post(self, logs):
        """Send, and send again while the buffer keeps silent: its disk may be slow."""
        request = Request(f"{self.ingest}/api/logs", json.dumps(logs).encode(), {"Content-Type": "application/json"})
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                with urlopen(request, timeout=60) as answer:
                    return answer.status, json.load(answer)
            except HTTPError as error:
                if error.code != 503 or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def search(self, query):
        return self.get(f"/api/logs?limit=100&q={quote(query)}")["logs"]

    def metrics(self):
        with urlopen(f"{self.api}/metrics", timeout=60) as answer:
            return answer.read().decode()

    def until_balanced(self, stored):
        self.until(lambda: self.get("/api/ledger")["stored"] == stored, SETTLE_SECONDS_MAX)
        ledger = self.get("/api/ledger")
        expected = {"accepted": stored, "dead_lettered": 0, "in_buffer": 0, "rows": stored, "missing": 0, "balanced": True}
        assert {name: ledger[name] for name in expected} == expected

    def family(self):
        """Every process of this run: the children and theirs, told by their environment."""
        mark = f"ZERO_DATA_DIR={self.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        self.log.close()
        return code


@pytest.fixture
def platform(tmp_path):
    running = Platform(tmp_path)
    running.up()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()
        running.log.close()


def child_pids(platform, name):
    """Return the processes whose command line has the word."""
    return [pid for pid in platform.family() if name in words(pid) and pid != platform.process.pid]


def words(pid):
    """Return the command line; nothing when the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_logs_go_in_are_stored_once_come_back_and_are_there_after_a_restart(platform, tmp_path):
    assert platform.post({"app_id": "shop", "level": "error", "message": "payment refused", "order": {"id": 7}})[0] == 202
    text = tmp_path / "app.log"
    text.write_text("".join(f"line {number} of the file\n" for number in range(1500)))
    sent = platform.command("send", str(text), "--app-id", "files", "--json", "--batch", "200")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["accepted"] == 1500
    if shutil.which("curl"):
        curl = ["curl", "-s", "--json", '{"app_id":"curl","message":"hello from curl"}', f"{platform.ingest}/api/logs"]
        assert json.loads(subprocess.run(curl, check=True, capture_output=True, timeout=60).stdout)["accepted"] == 1
    else:
        platform.post({"app_id": "curl", "message": "hello from curl"})
    platform.until_balanced(1502)

    (found,) = platform.search("level:error payment")
    assert (found["app_id"], found["message"], found["metadata"]) == ("shop", "payment refused", {"order.id": 7})
    assert [log["message"] for log in platform.search('app_id:files "line 1234"')] == ["line 1234 of the file"]
    assert [log["message"] for log in platform.search("app_id:curl")] == ["hello from curl"]
    assert platform.get("/api/stats")["stored"] == 1502
    listed = platform.command("search", "app_id:shop", "--json")
    assert json.loads(listed.stdout.splitlines()[0])["message"] == "payment refused", listed.stderr

    for victim in ("drain", "ingest"):
        before = child_pids(platform, victim)
        os.kill(before[0], signal.SIGKILL)
        platform.until(lambda: len(child_pids(platform, victim)) == len(before) and before[0] not in platform.family(), 60)  # noqa: B023
    platform.until(lambda: platform.post({"app_id": "again", "message": "after the kill"})[0] == 202, 60)
    platform.until_balanced(1503)
    for victim in ("drain-0", "ingest-"):
        assert f'zero_restarts_total{{proc="{victim}' in platform.metrics()
    platform.until(lambda: "zero_store_disk_bytes " in platform.metrics(), 60)  # by the drain that has the first shard

    migrated = platform.command("migrate")
    assert (migrated.returncode, migrated.stdout) == (0, "the store is up to date\n"), migrated.stderr
    assert "another `zero up`" in platform.command("up").stderr
    assert platform.command("doctor").returncode == 0
    assert platform.stop() == 0, platform.said()
    assert platform.family() == []

    platform.environment["ZERO_STOP_SECONDS_MAX"] = "4"
    platform.up()
    assert platform.get("/api/stats")["stored"] == 1503
    assert len(platform.search("app_id:again")) == 1
    assert "level=error" not in platform.said(), "a run in which nothing went wrong tells of no error"
    os.kill(child_pids(platform, "api")[0], signal.SIGSTOP)
    assert platform.stop() == 1, "a stop that has to kill says so"
    assert re.search(r"zero: stopped, but .*\bapi\b.* had to be killed", platform.said()), platform.said()
    assert platform.family() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_nothing_is_left_when_the_supervisor_is_killed(platform):
    assert len(platform.family()) >= 6
    platform.process.kill()
    platform.process.wait()
    platform.log.close()
    deadline = time.monotonic() + 60
    while platform.family():
        assert time.monotonic() < deadline, platform.family()
        time.sleep(0.05)


def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        platform = Platform(tmp_path)
        platform.environment["ZERO_API"] = f"127.0.0.1:{taken.getsockname()[1]}"
        found = platform.command("up")
    assert found.returncode == 78
    assert "choose another address with ZERO_API" in found.stderr


def test_an_open_door_without_keys_is_refused(tmp_path):
    platform = Platform(tmp_path)
    platform.environment |= {"ZERO_INGEST_HTTP": "0.0.0.0:4318", "ZERO_PLAINTEXT": "proxy"}
    found = platform.command("up")
    assert found.returncode == 78
    assert "there are no API keys" in found.stderr
    assert "zero keys create" in found.stderr
