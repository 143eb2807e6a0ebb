"""The embedded buffer and store alone, without the roles that use them: for measuring one role."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from zero.bootstrap import store_kind
from zero.embedded.clickhouse.options import WRITER, read_passwords
from zero.embedded.valkey import ValkeyOptions, prepare
from zero.settings import Settings, as_environment

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60


@dataclass(frozen=True)
class Servers:
    """A migrated store and an empty buffer; ``settings`` says where they are."""

    settings: Settings
    folder: Path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a role, and return when it is ready. Its log lines go to ``ROLE.log`` in the folder."""
        log = (self.folder / f"{arguments[0]}.log").open("ab")
        argv = [sys.executable, "-P", "-m", "zero", *arguments, "--parent", str(os.getpid())]
        environment = {**os.environ, **as_environment(self.settings)}
        with log:
            process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        first_line(process)
        return process


def first_line(process: "subprocess.Popen[str]") -> str:
    """Return the first line that a process prints: that it is ready."""
    stream: IO[str] | None = process.stdout
    assert stream is not None
    line = stream.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with {process.wait()}")
    return line


def stop(process: "subprocess.Popen[str]") -> None:
    """End a process that we started, with its own shutdown."""
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


@contextmanager
def servers(buffer_bytes_max: int = 4 << 30) -> Iterator[Servers]:
    """Start both servers over an empty folder; stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="zero-bench-") as name:
        folder = Path(name)
        buffer = prepare(ValkeyOptions(folder, memory_max_bytes=buffer_bytes_max))
        path = folder / "clickhouse"
        store = [sys.executable, "-P", "-m", "zero.embedded.clickhouse", "--path", str(path), "--listen", "127.0.0.1:0"]
        processes: list[subprocess.Popen[str]] = []
        try:
            processes.append(subprocess.Popen(buffer.argv, stdout=subprocess.DEVNULL, text=True))
            processes.append(subprocess.Popen([*store, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True))
            url = first_line(processes[1]).split()[1]
            passwords = read_passwords(path / "passwords")
            reach = url.replace("://", f"://{WRITER}:{passwords[WRITER]}@")
            settings = replace(Settings(), data_dir=folder, buffer_url=buffer.url, clickhouse_url=f"{reach}/zero")
            _wait_for(buffer.socket)
            store_kind(settings).migrate()
            yield Servers(settings, folder)
        finally:
            for process in processes:
                stop(process)


def _wait_for(socket: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not socket.is_socket():
        if time.monotonic() > deadline:
            raise RuntimeError("the buffer did not start")
        time.sleep(0.02)
