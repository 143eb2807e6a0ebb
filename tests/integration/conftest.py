"""Servers shared by the integration tests."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clickhouse_cluster import start_cluster
from tests.integration.clickhouse_server import ClickHouseServer
from tests.integration.postgres_server import FORGETFUL, TABLES, PostgresServer, postgres_folder
from tests.integration.servers import Server, embedded_valkey
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.postgres.migrations import migrate as migrate_postgres
from zero.infrastructure.postgres.options import PostgresOptions

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    """An embedded Valkey for the whole run; tests keep apart by ``namespace``."""
    with tempfile.TemporaryDirectory(prefix="zero-") as directory:
        server = embedded_valkey(Path(directory)).start()
        yield server
        server.close()


@pytest.fixture
def redis_url(valkey_server: Server) -> str:
    """The URL of the shared Valkey."""
    return valkey_server.url


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test of the run has, within what the server's ACL allows."""
    return f"zero:{next(_numbers)}"


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Server]:
    """An embedded Valkey of the test's own, started: to kill, stop or fill."""
    server = embedded_valkey(tmp_path).start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    """An embedded ClickHouse for the whole run, with hooks; tests keep apart by database."""
    with tempfile.TemporaryDirectory(prefix="zero-") as directory:
        server = ClickHouseServer(Path(directory), "--hooks").start()
        yield server
        assert server.close() == 0


@pytest.fixture
def clickhouse_options(clickhouse_server: ClickHouseServer) -> Iterator[ClickHouseOptions]:
    """A fresh, migrated database of its own on the shared ClickHouse."""
    options = clickhouse_server.options(f"test_{next(_numbers)}")
    migrate(options)
    yield options
    client = connect_writer(options, "default")
    client.command(f"DROP DATABASE {options.database} SYNC")
    client.close()


@pytest.fixture(scope="session")
def clickhouse_cluster() -> Iterator[tuple[ClickHouseServer, ClickHouseOptions]]:
    """As much of a ClickHouse cluster as one process can be, for the whole run."""
    with tempfile.TemporaryDirectory(prefix="zero-") as directory:
        server, options = start_cluster(Path(directory), "--hooks")
        yield server, options
        assert server.close() == 0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL cluster for the whole run; tests keep apart by database, or by emptying the tables."""
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed on this machine: deploy/machine.sh test-packages")
    server = PostgresServer(*FORGETFUL).start()
    yield server
    server.kill()
    server.close()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> PostgresOptions:
    """A migrated database of the shared cluster."""
    options = postgres_server.create("shared")
    migrate_postgres(options)
    return options


@pytest.fixture
def postgres_options(postgres_server: PostgresServer, migrated_postgres: PostgresOptions) -> PostgresOptions:
    """The shared database, its tables empty."""
    postgres_server.command("shared", f"TRUNCATE {TABLES}")
    return migrated_postgres
