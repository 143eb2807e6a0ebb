"""Real stores with entries in them, and readers of them: every test here runs over each kind of store."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.integration.clickhouse_cluster import CLUSTER, DATABASE
from tests.integration.clickhouse_server import ClickHouseServer
from tests.integration.postgres_server import CODEC as POSTGRES_CODEC
from tests.integration.postgres_server import TABLES, PostgresServer
from zero.application.ports import FieldReader, Lease, LogReader, MeaningReader, PatternReader, RetentionStore
from zero.bootstrap.stores import ClosingMeaningStore, ClosingPatternStore
from zero.domain.batch_id import batch_id_ms
from zero.domain.frame import Frame, pack_frame, unpack_frame
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.connection import connect, connect_writer
from zero.infrastructure.clickhouse.field_reader import ClickHouseFieldReader
from zero.infrastructure.clickhouse.field_reader import SampleOptions as ClickHouseSample
from zero.infrastructure.clickhouse.meaning_reader import ClickHouseMeaningReader
from zero.infrastructure.clickhouse.meaning_store import ClickHouseMeaningStore
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.pattern_reader import ClickHousePatternReader
from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.clickhouse.reader import ReaderOptions as ClickHouseBounds
from zero.infrastructure.clickhouse.retention import ClickHouseRetention
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.postgres.field_reader import PostgresFieldReader
from zero.infrastructure.postgres.field_reader import SampleOptions as PostgresSample
from zero.infrastructure.postgres.meaning_reader import PostgresMeaningReader
from zero.infrastructure.postgres.meaning_store import PostgresMeaningStore
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.pattern_reader import PostgresPatternReader
from zero.infrastructure.postgres.patterns import PostgresPatternStore
from zero.infrastructure.postgres.reader import PostgresReader
from zero.infrastructure.postgres.reader import ReaderOptions as PostgresBounds
from zero.infrastructure.postgres.retention import PostgresRetention
from zero.infrastructure.postgres.store import PostgresStore

CODEC = NativeCodec()
ON_A_CLUSTER = {
    "test_counts_by_time_value_and_tenant_add_up",
    "test_the_newest_come_first_over_days_and_ties",
    "test_the_next_ones_come_oldest_first_over_days_and_ties",
    "test_arrivals_are_told_by_the_time_of_acceptance",
    "test_an_empty_store_has_no_entries",
    "test_bars_over_a_long_time_stand_for_whole_five_minutes",
    "test_a_group_is_one_pattern_to_those_who_list_and_search",
    "test_counts_over_time_add_up",
    "test_what_belongs_to_patterns_that_are_gone_is_dropped",
    "test_a_hit_says_how_often_it_was_seen_and_why_it_was_found",
    "test_each_pattern_is_embedded_once",
    "test_a_tenant_with_fewer_days_loses_them_and_the_ledger_still_balances",
    "test_names_and_values_are_those_of_the_tenant",
    "test_values_of_keys_of_every_type_and_of_fields_are_texts",
}
"""What a cluster tells in every run: a query of each form. The queries' conditions are those of one server."""


class Reader(LogReader, Protocol):
    """A reader of any store, as the tests use it."""

    async def close(self) -> None: ...

    async def ask(self, sql: str, parameters: dict[str, Any]) -> Any: ...


class LogStore(Protocol):
    """A server of the tests' own. Entries of one batch that are stored stand together, their indexes count from 0."""

    name: str

    def store(self, entries: Iterable[StoredEntry], tenant: str = "default") -> None:
        """Store entries as the drain would."""

    def empty(self, *tables: str) -> None:
        """Empty the tables."""

    def count(self, table: str) -> int:
        """Count a table's rows."""

    def patterns(self) -> list[tuple[object, ...]]:
        """Return what the catalogue says of each pattern."""

    def reader(self, *, waiting_max: int = 64, queries_max: int = 4) -> Reader:
        """Return a reader with the rights of the api."""

    def writers_reader(self) -> Reader:
        """Return a reader that connects as whoever may write."""

    def hasty_reader(self) -> Reader:
        """Return a reader whose bounds a search for anything passes."""

    def distant_reader(self) -> Reader:
        """Return a reader of a server that is not there."""

    def field_reader(self, reader: Reader, rows: int | None = None) -> FieldReader:
        """Return what completes queries, from a sample of so many rows."""

    def pattern_reader(self, reader: Reader) -> PatternReader:
        """Return what reads patterns."""

    def meaning_reader(self, reader: Reader) -> MeaningReader:
        """Return what ranks patterns."""

    def pattern_store(self) -> ClosingPatternStore:
        """Return where the catalogue is kept."""

    def distant_pattern_store(self) -> ClosingPatternStore:
        """Return one of a server that is not there."""

    def meaning_store(self) -> ClosingMeaningStore:
        """Return where words and vectors are kept."""

    def retention(self) -> RetentionStore:
        """Return what removes days."""


def frames(entries: Iterable[StoredEntry], tenant: str) -> list[Frame]:
    """Return the frames that hold the entries."""
    made = []
    for identity, group in itertools.groupby(entries, key=lambda stored: stored.batch_id):
        batch = list(group)
        assert [stored.index for stored in batch] == list(range(len(batch)))
        payload = write_log_batch(stored.entry for stored in batch)
        data = pack_frame(identity, batch_id_ms(identity), len(batch), tenant, [payload], CODEC.crc32c)
        made.append(unpack_frame(data, CODEC.crc32c))
    return made


class ClickHouseLogs:
    """A ClickHouse server of the tests' own."""

    name = "clickhouse"

    def __init__(self, path: Path) -> None:
        self.server = ClickHouseServer(path).start()
        migrate(self.options("default"))
        self.writer = connect_writer(self.options("default"))

    def options(self, user: str) -> ClickHouseOptions:
        return self.server.options("default", user)

    def store(self, entries: Iterable[StoredEntry], tenant: str = "default") -> None:
        data = CODEC.encode_block(frames(entries, tenant)).data
        self.writer.command("INSERT INTO logs FORMAT Native", data=data)

    def empty(self, *tables: str) -> None:
        for table in tables:
            self.writer.command(f"TRUNCATE TABLE {table}")

    def count(self, table: str) -> int:
        return int(str(self.writer.command(f"SELECT count() FROM {table}")))

    def patterns(self) -> list[tuple[object, ...]]:
        columns = "tenant, pattern_id, text, example, group_id, group_text, first_seen, last_seen, count, first_bid, first_idx"
        return list(self.writer.query(f"SELECT {columns} FROM patterns FINAL ORDER BY tenant, pattern_id").result_rows)

    def reader(self, *, waiting_max: int = 64, queries_max: int = 4) -> ClickHouseReader:
        bounds = ClickHouseBounds(queries_max=queries_max, waiting_max=waiting_max, cluster=self.options("reader").cluster)
        return ClickHouseReader(lambda: connect(self.options("reader")), bounds)

    def writers_reader(self) -> ClickHouseReader:
        return ClickHouseReader(lambda: connect(self.options("default")))

    def hasty_reader(self) -> ClickHouseReader:
        return ClickHouseReader(lambda: connect(self.options("default")), ClickHouseBounds(rows_read_max=10))

    def distant_reader(self) -> ClickHouseReader:
        return ClickHouseReader(lambda: connect(ClickHouseOptions("http://127.0.0.1:1")))

    def field_reader(self, reader: ClickHouseReader, rows: int | None = None) -> ClickHouseFieldReader:
        return ClickHouseFieldReader(reader, ClickHouseSample(rows=rows) if rows else None)

    def pattern_reader(self, reader: ClickHouseReader) -> ClickHousePatternReader:
        return ClickHousePatternReader(reader)

    def meaning_reader(self, reader: ClickHouseReader) -> ClickHouseMeaningReader:
        return ClickHouseMeaningReader(reader)

    def pattern_store(self) -> ClickHousePatternStore:
        return ClickHousePatternStore(self.options("default"))

    def distant_pattern_store(self) -> ClickHousePatternStore:
        return ClickHousePatternStore(ClickHouseOptions("http://127.0.0.1:9", connect_timeout_seconds=1))

    def meaning_store(self) -> ClickHouseMeaningStore:
        return ClickHouseMeaningStore(self.options("default"))

    def retention(self) -> ClickHouseRetention:
        return ClickHouseRetention(self.options("default"))

    def close(self) -> None:
        self.writer.close()
        self.server.close()


class ClickHouseClusterLogs(ClickHouseLogs):
    """A cluster of two shards, in one process."""

    name = "cluster"

    def __init__(self, cluster: tuple[ClickHouseServer, ClickHouseOptions]) -> None:
        self.server = cluster[0]
        self.writer = connect_writer(self.options("default"))

    def options(self, user: str) -> ClickHouseOptions:
        return replace(self.server.options(DATABASE, user), cluster=CLUSTER)

    def empty(self, *tables: str) -> None:
        super().empty(*(f"{table}_local" for table in tables))

    def close(self) -> None:
        self.writer.close()


class PostgresLogs:
    """A database of the PostgreSQL of the whole run."""

    name = "postgres"

    def __init__(self, server: PostgresServer, options: PostgresOptions) -> None:
        self.server, self.options = server, options
        server.command("shared", f"TRUNCATE {TABLES}")

    def store(self, entries: Iterable[StoredEntry], tenant: str = "default") -> None:
        block = POSTGRES_CODEC.encode_block(frames(entries, tenant))
        with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop of its own
            thread.submit(asyncio.run, self._store(block)).result()

    async def _store(self, block: Any) -> None:
        store, lease = PostgresStore(self.options), Lease(1023, "tests", 1)  # a shard that tests of leases leave alone
        await store.fence(lease)
        await store.insert(block, lease)
        await store.close()

    def empty(self, *tables: str) -> None:
        self.server.command("shared", f"TRUNCATE {', '.join(tables)}")

    def count(self, table: str) -> int:
        return int(str(self.server.command("shared", f"SELECT count(*) FROM {table}")[0][0]))

    def patterns(self) -> list[tuple[object, ...]]:
        columns = "tenant, pattern_id, text, example, group_id, group_text, first_seen_ns, last_seen_ns, count, first_bid"
        return self.server.command("shared", f"SELECT {columns}, first_idx FROM patterns ORDER BY tenant, pattern_id")

    def reader(self, *, waiting_max: int = 64, queries_max: int = 4) -> PostgresReader:
        return PostgresReader(self.options, PostgresBounds(queries_max=queries_max, waiting_max=waiting_max))

    def writers_reader(self) -> PostgresReader:
        return PostgresReader(self.options)

    def hasty_reader(self) -> PostgresReader:
        return PostgresReader(self.options, PostgresBounds(rows_max=5))

    def distant_reader(self) -> PostgresReader:
        return PostgresReader(PostgresOptions("postgresql://zero@127.0.0.1:1/nowhere"))

    def field_reader(self, reader: PostgresReader, rows: int | None = None) -> PostgresFieldReader:
        return PostgresFieldReader(reader, PostgresSample(rows=rows) if rows else None)

    def pattern_reader(self, reader: PostgresReader) -> PostgresPatternReader:
        return PostgresPatternReader(reader)

    def meaning_reader(self, reader: PostgresReader) -> PostgresMeaningReader:
        return PostgresMeaningReader(reader)

    def pattern_store(self) -> PostgresPatternStore:
        return PostgresPatternStore(self.options)

    def distant_pattern_store(self) -> PostgresPatternStore:
        return PostgresPatternStore(PostgresOptions("postgresql://zero@127.0.0.1:9/nowhere", connect_timeout_seconds=1))

    def meaning_store(self) -> PostgresMeaningStore:
        return PostgresMeaningStore(self.options)

    def retention(self) -> PostgresRetention:
        return PostgresRetention(self.options)


@pytest.fixture(scope="session")
def clickhouse_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseLogs]:
    """A ClickHouse for the whole run."""
    server = ClickHouseLogs(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_logs(postgres_server: PostgresServer, migrated_postgres: PostgresOptions) -> PostgresLogs:
    """A database of the PostgreSQL for the whole run."""
    return PostgresLogs(postgres_server, migrated_postgres)


@pytest.fixture(scope="session")
def cluster_logs(clickhouse_cluster: tuple[ClickHouseServer, ClickHouseOptions]) -> Iterator[ClickHouseClusterLogs]:
    """A ClickHouse cluster for the whole run."""
    logs = ClickHouseClusterLogs(clickhouse_cluster)
    yield logs
    logs.close()


@pytest.fixture(scope="session", params=["clickhouse", "cluster", "postgres"])
def log_server(request: pytest.FixtureRequest) -> LogStore:
    """A server of each kind. It stays when the tests of the other one have their turn."""
    server: LogStore = request.getfixturevalue(f"{request.param}_logs")
    return server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a cluster need not do in every run: what compiles queries is the same; CLUSTER=all runs it too."""
    if os.environ.get("CLUSTER") == "all":
        return
    left = [item for item in items if not _is_told(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def _is_told(item: pytest.Item) -> bool:
    called = getattr(item, "callspec", None)
    return called is None or called.params.get("log_server") != "cluster" or item.originalname in ON_A_CLUSTER


@pytest.fixture
def log_store(log_server: LogStore) -> LogStore:
    """The server with an empty table."""
    log_server.empty("logs")
    return log_server


@pytest.fixture
async def reader(log_server: LogStore) -> AsyncIterator[Reader]:
    """A reader with the rights of the api."""
    reader = log_server.reader()
    yield reader
    await reader.close()
