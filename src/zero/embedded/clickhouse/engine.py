"""The in-process ClickHouse engine: one for the process, one connection for every request.

A fresh connection costs 0.6 ms and keeps settings, the current database and temporary tables of one request from the next.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape

from zero.embedded.clickhouse.errors import from_engine
from zero.embedded.clickhouse.native_engine import load

_chdb: Any = load()

# One laptop, one table that is written: few background threads, caches that fit beside the applications of their owner.
# Those of the text index keep what they have of parts that are merged away until there is no room, hence the bounds by number.
_SERVER_SETTINGS = {
    "background_pool_size": 2,
    "background_merges_mutations_concurrency_ratio": 1,
    "background_schedule_pool_size": 4,
    "background_schedule_pool_initial_size": 4,
    "background_common_pool_size": 2,
    "background_move_pool_size": 1,
    "background_fetches_pool_size": 1,
    "text_index_tokens_cache_max_entries": 10_000,
    "text_index_header_cache_max_entries": 1024,
    "asynchronous_metrics_update_period_s": 60,
    "memory_worker_period_ms": 500,
    "memory_worker_use_cgroup": 0,  # it would take all that is in a container for its own
    "max_thread_pool_size": 256,
    "max_thread_pool_free_size": 16,
}
_CACHE_BYTES = {
    "mark_cache_size": 128 << 20,
    "primary_index_cache_size": 128 << 20,
    "uncompressed_cache_size": 0,
    "index_mark_cache_size": 64 << 20,
    "text_index_tokens_cache_size": 64 << 20,
    "text_index_header_cache_size": 64 << 20,
    "text_index_postings_cache_size": 128 << 20,
    "query_condition_cache_size": 16 << 20,
    "compiled_expression_cache_size": 16 << 20,
}
"""The caches of an engine that may use 4 GiB: a seventh of it together, and no more of less."""
# What the database itself needs, and no SOURCES: so file(), url(), s3(), remote() and their kin are refused in every position.
_GRANTS = (
    "GRANT SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, DROP, "
    "UNDROP TABLE, TRUNCATE, OPTIMIZE, CHECK, KILL QUERY, SYSTEM ON *.*"
)
_ENGINES = (
    *(
        f"{kind}MergeTree"
        for kind in ("", "Replacing", "Summing", "Aggregating", "Collapsing", "VersionedCollapsing", "Coalescing")
    ),
    *("Memory", "Log", "TinyLog", "StripeLog", "Null", "Set", "Join", "Buffer", "View", "MaterializedView", "Merge", "Alias"),
)
_USERS = f"""<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>
      <query>{_GRANTS}</query>
      {"".join(f"<query>GRANT TABLE ENGINE ON {name}</query>" for name in _ENGINES)}
    </grants>
  </default></users>
</clickhouse>
"""


_DEFAULT_ASIDE = "zero_default"
_REFUSED_SQL = "SELECT value FROM system.events WHERE event = 'WriteBufferFromFileDescriptorWriteFailed'"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a statement read and wrote."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A whole answer."""

    data: bytes
    summary: Summary


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the engine's parser says of a statement without running it."""

    query_class: str
    statements: int


def _set_aside(metadata: Path) -> None:
    """Let the engine load the plain ``default`` of the last run under another name; at any moment just one file names it."""
    file = metadata / "default.sql"
    if file.exists():
        (metadata / "default").unlink(missing_ok=True)
        file.rename(metadata / f"{_DEFAULT_ASIDE}.sql")


class Engine:
    """Opens the data directory and gives out sessions. The engine lives until ``close``."""

    def __init__(self, path: Path, memory_bytes: int) -> None:
        data = path / "data"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = _write_config(path, memory_bytes)
        _chdb.set_signal_handlers_enabled(0)
        self._address = f"{data}?config-file={config}"
        _set_aside(data / "metadata")
        self._keeper = _chdb.connect(self._address)
        # The engine lays an overlay with the file system over ``default``, and does not load a database of that name.
        self._keeper.query("DROP DATABASE default")
        self._keeper.query(f"CREATE DATABASE IF NOT EXISTS {_DEFAULT_ASIDE} ENGINE = Atomic")
        self._keeper.query(f"RENAME DATABASE {_DEFAULT_ASIDE} TO default")
        self._counter, self._counter_lock = _chdb.connect(self._address), threading.Lock()
        self.version, self.timezone = str(self._keeper.query("SELECT version(), timezone()", "TSV").data()).split()

    def session(self) -> "Session":
        """Open a connection of its own."""
        return Session(_chdb.connect(self._address))

    def judge(self, sql: str) -> Judgement:
        """Classify a statement."""
        found = self._keeper.classify_query(sql)
        return Judgement(found["query_class"].name, found["statement_count"])

    def canonical(self, sql: str) -> str:
        """Return the statement as the engine's parser understands it, on one line."""
        with self.session() as session:
            found = session.query("SELECT formatQuerySingleLine({sql:String})", "TSVRaw", {"sql": escape_parameter(sql)})
        return found.data.decode("utf-8", "replace")

    def refused_writes(self) -> int:
        """Count the writes to files that the disk refused since the start. Costs 1.4 ms, twice that in a session of its own."""
        with self._counter_lock:
            found = self._counter.query(_REFUSED_SQL, "TSV").data()
        return int(found or 0)

    def close(self) -> None:
        """Let the engine end; every session must be closed by then."""
        self._counter.close()
        self._keeper.close()


class Session:
    """One connection. Not for two threads at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()

    def configure(self, settings: Mapping[str, str | int], database: str = "default") -> None:
        """Apply settings, and the database of unqualified names."""
        if database != "default":
            self.query(f"USE {quote_identifier(database)}")
        if settings:
            self.query("SET " + ", ".join(f"{name} = {quote_text(str(value))}" for name, value in settings.items()))

    def query(self, sql: str, output: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Result:
        """Run a statement and return all of its answer."""
        try:
            found = self._connection.query(sql, output, params=dict(params or {}))
        except Exception as error:
            raise from_engine(str(error)) from error
        data = found.bytes()
        return Result(data, _summary(found, len(data)))

    def stream(self, sql: str, output: str, params: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the answer in pieces of about a megabyte. Only for formats that have neither head nor foot."""
        connection = self._connection
        try:
            handle = connection.send_query(sql, output, params=dict(params))
        except Exception as error:
            raise from_engine(str(error)) from error
        ended = False
        try:
            while not ended:
                try:
                    piece = connection.streaming_fetch_result(handle)
                except Exception as error:
                    ended = True
                    raise from_engine(str(error)) from error
                ended = piece is None or piece.size() == 0
                if not ended:
                    yield piece.bytes()
        finally:
            if not ended:
                connection.streaming_cancel_query(handle)

    def begin_insert(self, head: str, data_format: str) -> "Insert":
        """Begin an insert; from here on it shows in ``system.processes``."""
        try:
            return Insert(self._connection, self._connection.send_insert(head, data_format))
        except Exception as error:
            raise from_engine(str(error)) from error


class Insert:
    """An insert without data, which stands for one whose data is on its way."""

    def __init__(self, connection: Any, handle: Any) -> None:
        self._connection = connection
        self._handle = handle

    def cancel(self) -> None:
        """End it."""
        self._connection.insert_cancel(self._handle)


def quote_text(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_identifier(name: str) -> str:
    """Return a quoted identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def escape_parameter(text: str) -> str:
    """Return text in the escaped form that a String parameter is read from."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")


def _summary(found: Any, result_bytes: int) -> Summary:
    return Summary(
        read_rows=found.storage_rows_read(),
        read_bytes=found.storage_bytes_read(),
        written_rows=found.rows_written(),
        written_bytes=found.bytes_written(),
        result_rows=found.rows_read(),
        result_bytes=result_bytes,
    )


def _write_config(path: Path, memory_bytes: int) -> Path:
    """Write the engine's configuration anew at every start; returns its file."""
    users, config = path / "users.xml", path / "config.xml"
    caches = {name: min(size, size * memory_bytes // (4 << 30)) for name, size in _CACHE_BYTES.items()}
    paths = {"users_config": str(users.absolute())}
    settings = {**_SERVER_SETTINGS, **caches, **paths, "max_server_memory_usage": memory_bytes}
    lines = "\n".join(f"  <{name}>{escape(str(value))}</{name}>" for name, value in settings.items())
    users.write_text(_USERS)
    config.write_text(f"<clickhouse>\n{lines}\n</clickhouse>\n")
    return config.absolute()
