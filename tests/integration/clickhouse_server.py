"""The embedded ClickHouse server as a process of its own, for tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from zero.embedded.clickhouse.options import READER, WRITER, read_passwords
from zero.infrastructure.clickhouse.options import ClickHouseOptions

# Tests write entries of any time; none may be due for deletion.
RETENTION_DAYS = 36_500


class ClickHouseServer:
    """Can be killed, stopped and started again on the same files; ``url`` changes with each start."""

    def __init__(self, path: Path, *flags: str, module: str = "zero.embedded.clickhouse") -> None:
        self.path = path
        self.passwords = read_passwords(path / "passwords")
        self.url = ""
        self._flags = flags
        self._module = module
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> "subprocess.Popen[str]":
        """The running process."""
        assert self._process is not None
        return self._process

    def start(self) -> "ClickHouseServer":
        """Start and wait until it answers."""
        argv = [sys.executable, "-m", self._module, "--path", str(self.path), "--listen", "127.0.0.1:0"]
        self._process = subprocess.Popen([*argv, "--parent", str(os.getpid()), *self._flags], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("ready http"):
            self.close()
            raise AssertionError(f"the server did not start: {line!r}")
        self.url = line.split()[1]
        return self

    def options(self, database: str, user: str = WRITER) -> ClickHouseOptions:
        """Return how to reach a database as ``default`` or ``reader``."""
        url = self.url.replace("//", f"//{user}:{quote(self.passwords[user])}@")
        return ClickHouseOptions(f"{url}/{database}", retention_days=RETENTION_DAYS)

    def reader(self, database: str) -> ClickHouseOptions:
        """Return how to reach a database as ``reader``."""
        return self.options(database, READER)

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def close(self) -> int:
        """Stop it in order; returns its exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self.send(signal.SIGCONT)
            self._process.terminate()
        status = self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status
