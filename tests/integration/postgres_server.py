"""A PostgreSQL cluster of the tests' own: made with initdb, reached over a unix socket and a loopback port, thrown away.

PostgreSQL refuses to run as root, so a test run by root starts it as ``nobody``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.patience import READY_SECONDS_MAX
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.postgres.codec import PostgresCodec
from zero.infrastructure.postgres.options import PostgresOptions

# Tests write entries of any time; none may be due for deletion.
RETENTION_DAYS = 36_500
PASSWORD = "it's/a:pass@word"
CODEC = PostgresCodec(NativeCodec().crc32c, NativeCodec().pattern_id)
FORGETFUL = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=256MB")
"""Settings of a cluster whose data nobody will miss."""
TABLES = "logs, patterns, pattern_words, pattern_vectors, shard_fences"


def postgres_folder() -> Path | None:
    """Return the folder of the newest installed server's programs; None where there is none."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if (found := shutil.which("postgres")) is not None and shutil.which("initdb") is not None:
        folders.append(Path(found).resolve().parent)
    return max(folders, key=lambda folder: int(folder.parent.name) if folder.parent.name.isdigit() else 0, default=None)


class PostgresServer:
    """Can be killed, stopped and started again on the same files, at the same port."""

    def __init__(self, *settings: str) -> None:
        folder = postgres_folder()
        assert folder is not None
        self._programs = folder
        self.home = Path(tempfile.mkdtemp(prefix="zero-pg-"))
        self._as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.home, "nobody", "nogroup")
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 5432  # of the socket's name alone: each cluster has a folder of its own
        self._initdb()

    def _initdb(self) -> None:
        password = self.home / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        flags = ["--no-locale", "--encoding=UTF8", "--username=zero", "--no-sync", "--auth=scram-sha-256"]
        argv = [*self._as, str(self._programs / "initdb"), "-D", str(self.home / "data"), *flags, f"--pwfile={password}"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}, cwd="/")

    def start(self) -> "PostgresServer":
        """Start and wait until it answers."""
        given = [f"unix_socket_directories={self.home}", "listen_addresses=", f"port={self.port}", *self._settings]
        options = [part for setting in given for part in ("-c", setting)]
        argv = [*self._as, str(self._programs / "postgres"), "-D", str(self.home / "data"), *options]
        log = (self.home / "log").open("ab")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/")
        log.close()
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return self
            except psycopg.OperationalError:
                said = (self.home / "log").read_text()
                assert self._process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.05)

    def url(self, database: str, user: str = "zero") -> str:
        """Return the URL of a database; its host is the folder of the socket."""
        return f"postgresql://{user}:{quote(PASSWORD, safe='')}@{quote(str(self.home), safe='')}:{self.port}/{database}"

    def options(self, database: str) -> PostgresOptions:
        """Return how to reach a database."""
        return PostgresOptions(self.url(database), retention_days=RETENTION_DAYS)

    def create(self, database: str) -> PostgresOptions:
        """Make a database, and return how to reach it."""
        self.command("postgres", f"CREATE DATABASE {database}")
        return self.options(database)

    def drop(self, database: str) -> None:
        """Drop a database with whoever is still in it."""
        self.command("postgres", f"DROP DATABASE {database} WITH (FORCE)")

    def command(self, database: str, sql: str) -> list[tuple[object, ...]]:
        """Run one statement, as the owner."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    def kill(self) -> None:
        """Kill it with all of its processes, as a loss of power would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def close(self) -> None:
        """Stop it, and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
        shutil.rmtree(self.home, ignore_errors=True)
