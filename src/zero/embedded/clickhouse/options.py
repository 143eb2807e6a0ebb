"""Options of the embedded ClickHouse server, and the file that holds its passwords."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from zero.embedded.private_file import missing, write_private

WRITER = "default"
READER = "reader"
_PING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """What one query of the ``reader`` user may cost; a request can ask for less, never for more."""

    execution_seconds: int = 30
    memory_bytes: int = 1 << 30
    result_rows: int = 1_000_000
    result_bytes: int = 256 << 20
    threads: int = 4

    def settings(self) -> dict[str, int]:
        """Return the limits under the engine's names."""
        return {
            "max_execution_time": self.execution_seconds,
            "max_memory_usage": self.memory_bytes,
            "max_result_rows": self.result_rows,
            "max_result_bytes": self.result_bytes,
            "max_threads": self.threads,
        }


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where the server keeps its data, where it listens, and its bounds.

    ``passwords`` maps ``default`` and ``reader`` to theirs. ``queries_max`` bounds what runs at once (each holds a thread),
    ``control_max`` the look-ups in ``system.processes`` and KILLs that must pass even then. ``memory_bytes`` caps the engine,
    ``insert_bytes`` the data of one insert, which is held in memory until it is whole.
    """

    path: Path
    host: str = "127.0.0.1"
    port: int = 8123
    passwords: Mapping[str, str] = field(default_factory=dict)
    reader_limits: ReaderLimits = ReaderLimits()
    queries_max: int = 32
    control_max: int = 4
    memory_bytes: int = 4 << 30
    statement_bytes: int = 16 << 20
    insert_bytes: int = 512 << 20
    settle_seconds: float = 10.0
    shutdown_seconds: float = 20.0
    hooks: bool = False

    def __post_init__(self) -> None:
        if not {WRITER, READER} <= self.passwords.keys():
            raise ValueError(f"passwords for {WRITER} and {READER} are needed")
        if min(self.queries_max, self.control_max) < 1:
            raise ValueError("queries_max and control_max are at least 1")


def read_passwords(file: Path) -> dict[str, str]:
    """Return user → password from lines ``user:password``; a missing or empty file is made with random passwords."""
    if missing(file):
        _write_passwords(file, {user: secrets.token_urlsafe(24) for user in (WRITER, READER)})
    pairs = (line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    return {user.strip(): password for user, password in pairs}


def running_url(data_dir: Path, address: str) -> str | None:
    """Return how to write to the server of the data folder that listens on ``host:port``, or None when none answers there."""
    from urllib.request import Request, urlopen  # a server that starts does not wait for it

    file = data_dir / "clickhouse" / "passwords"
    try:
        with urlopen(Request(f"http://{address}/ping"), timeout=_PING_SECONDS) as answer:
            alive = answer.read(16).startswith(b"Ok")
    except OSError:
        alive = False
    if not alive or not file.exists():
        return None
    return f"http://{WRITER}:{quote(read_passwords(file)[WRITER])}@{address}/zero"


def _write_passwords(file: Path, passwords: Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(file, "".join(f"{user}:{password}\n" for user, password in passwords.items()))
