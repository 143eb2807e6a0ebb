"""Migrations, partitions and retention against a real server."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.contract.store_contract import contract_frame, lease
from tests.integration.postgres_server import CODEC, PostgresServer
from zero.application.overview import Overview
from zero.application.ports import Append, Settlement
from zero.bootstrap import store_kind
from zero.domain.batch_id import batch_id
from zero.domain.errors import StoreHalted
from zero.domain.ledger import MILLISECONDS_PER_DAY, day_of
from zero.domain.retention import Retention
from zero.infrastructure.memory import ManualClock, MemoryBuffer
from zero.infrastructure.postgres.connection import server_version
from zero.infrastructure.postgres.migrations import migrate, migrations
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import look_after
from zero.infrastructure.postgres.reader import PostgresReader
from zero.infrastructure.postgres.store import PostgresStore
from zero.settings import Settings

EVERY = [migration.name for migration in migrations()]


@pytest.fixture
def options(postgres_server: PostgresServer) -> Iterator[PostgresOptions]:
    """An empty database of the test's own."""
    yield replace(postgres_server.create("own"), retention_days=30)
    postgres_server.drop("own")


def test_four_runs_at_once_apply_each_migration_once_and_a_later_one_nothing(options: PostgresOptions) -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = sorted(threads.map(lambda _: migrate(options), range(4)), key=len)
    assert runs == [[], [], [], EVERY]
    assert migrate(options) == []


async def test_a_later_migration_finds_the_data_in_place(
    options: PostgresOptions, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = replace(options, retention_days=36_500)
    with ThreadPoolExecutor(1) as thread:
        monkeypatch.setattr("zero.infrastructure.postgres.migrations.migrations", lambda: migrations()[:2])
        assert thread.submit(migrate, options).result() == EVERY[:2]
        store = PostgresStore(options)
        await store.fence(lease(1))
        await store.insert(CODEC.encode_block([contract_frame(CODEC, 7, ["kept"])]), lease(1))
        await store.close()
        monkeypatch.undo()
        assert thread.submit(migrate, options).result() == EVERY[2:]
    assert postgres_server.command("own", "SELECT message FROM logs") == [("kept",)]


def test_a_database_of_another_encoding_is_refused_with_what_to_do(postgres_server: PostgresServer) -> None:
    postgres_server.command("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreHalted, match="UTF8"):
        migrate(postgres_server.options("latin"))
    postgres_server.drop("latin")


def test_the_server_says_its_version_its_clock_and_what_is_weak(options: PostgresOptions) -> None:
    found = server_version(options)
    assert found.fits
    assert abs(found.now_seconds - time.time()) < 60
    assert set(found.weak) == {"fsync", "full_page_writes"}
    report = store_kind(Settings(store_url=options.url)).report()
    assert "PostgreSQL" in report.description
    assert "a crash" in report.warning


async def test_retention_drops_whole_days_and_the_ledger_calls_them_expired(options: PostgresOptions) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrate, options).result()
    today = day_of(time.time_ns() // 1_000_000)
    clock = ManualClock((today * MILLISECONDS_PER_DAY + 1000) * 1_000_000)
    buffer, store, reader = MemoryBuffer(clock), PostgresStore(options), PostgresReader(options)
    await store.fence(lease(1))
    for age in (0, 1, 30, 31, 400):
        received_ms = (today - age) * MILLISECONDS_PER_DAY + 5
        frame = contract_frame(CODEC, batch_id(received_ms, 1, 0), [f"{age} days old"])
        frame = replace(frame, received_ms=received_ms)
        (appended,) = await buffer.append([Append(0, frame.data, "default", 1)])
        await store.insert(CODEC.encode_block([frame]), lease(1))
        mine = await buffer.acquire(0, "drain")
        assert mine is not None
        assert appended.position is not None
        await buffer.read(mine, 10, 0)
        day = day_of(received_ms)
        await buffer.settle(mine, Settlement([appended.position], {"default": 1}, (), {("default", day): 1}))
    overview = Overview(buffer, reader, clock, Retention(30))
    balance = (await overview.ledger())["default"]
    assert (balance.rows_now, balance.expired, balance.missing) == (5, 0, 0)
    assert await look_after(options, clock.now_ns()) == 2
    assert await look_after(options, clock.now_ns()) == 0
    balance = (await overview.ledger())["default"]
    assert (balance.rows_now, balance.expired, balance.missing, balance.balanced) == (3, 2, 0, True)
    assert {day - today for _, day in await reader.rows_by_day()} == {0, -1, -30}
    await store.close()
    await reader.close()
