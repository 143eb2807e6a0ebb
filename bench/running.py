"""A platform of one's own to measure: ``zero up`` on free ports over an empty data directory."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import family, role_of

READY_SECONDS_MAX = 90
STOP_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 15


@dataclass(frozen=True)
class Platform:
    """A running platform: where its doors are, and its supervisor's process."""

    ingest_url: str
    api_url: str
    data_dir: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        """Return the JSON that the api answers."""
        return json.loads(_asked(self.api_url + path))

    def metrics(self) -> str:
        """Return the metrics of the ingest processes."""
        return _asked(f"{self.ingest_url}/metrics").decode()

    def crash(self, role: str) -> int:
        """Kill the processes of a role as a crash would, and return how many once the supervisor has new ones ready."""
        killed = [pid for pid, command in family(self.process.pid).items() if role_of(command) == role]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        _wait_ready([f"{self.ingest_url}/ready", f"{self.api_url}/ready"], self.process, self.data_dir.parent / "up.log")
        return len(killed)


def _asked(url: str) -> bytes:
    """Return what a page answers, asked again for a while: a process may be starting, or have too much to do."""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def free_port() -> int:
    """Return a TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_ready(urls: list[str], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    for url in urls:
        while True:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the platform did not become ready:\n{log.read_text()[-4000:]}") from None
                time.sleep(0.1)


@contextmanager
def platform(**settings: str) -> Iterator[Platform]:
    """Start the platform with ``ZERO_*`` settings on top of free ports; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="zero-bench-") as folder:
        ingest, api = free_port(), free_port()
        environment = {
            **os.environ,
            "ZERO_DATA_DIR": f"{folder}/data",
            "ZERO_INGEST_HTTP": f"127.0.0.1:{ingest}",
            "ZERO_INGEST_GRPC": "",
            "ZERO_API": f"127.0.0.1:{api}",
            "ZERO_EMBEDDED_CLICKHOUSE": f"127.0.0.1:{free_port()}",
            **settings,
        }
        log = Path(folder) / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, "-m", "zero", "up"], env=environment, stdout=output, stderr=output)
        running = Platform(f"http://127.0.0.1:{ingest}", f"http://127.0.0.1:{api}", Path(folder) / "data", process)
        try:
            _wait_ready([f"{running.ingest_url}/ready", f"{running.api_url}/ready"], process, log)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
