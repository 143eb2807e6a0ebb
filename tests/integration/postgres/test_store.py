"""The store adapter when the server, or a former owner, does not do what one hopes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import psycopg
import pytest

from tests.contract.store_contract import contract_frame, lease
from tests.integration.postgres_server import CODEC, PostgresServer, postgres_folder
from zero.domain.errors import LeaseLost, StoreHalted, StoreRejected, StoreUnavailable
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.postgres.codec import CopyBlock
from zero.infrastructure.postgres.migrations import migrate
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import SCHEMA_LOCK
from zero.infrastructure.postgres.store import PostgresStore


def block(batch_id: int, count: int = 3) -> CopyBlock:
    return CODEC.encode_block([contract_frame(CODEC, batch_id, [f"m{index}" for index in range(count)])])


@pytest.fixture
async def store(postgres_options: PostgresOptions) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres_options)
    await store.fence(lease(1))
    yield store
    await store.close()


@pytest.fixture
def stalled(postgres_server: PostgresServer, store: PostgresStore) -> Iterator[psycopg.Connection]:
    """Something that makes every insert wait in the middle of its transaction, until it is closed."""
    with psycopg.connect(postgres_server.url("shared")) as connection:
        connection.execute("LOCK TABLE logs IN SHARE MODE")
        yield connection


async def begun(server: PostgresServer) -> None:
    """Return once an insert holds its lock and waits for the table."""
    sql = "SELECT 1 FROM pg_locks WHERE relation = 'logs'::regclass AND NOT granted"
    async with asyncio.timeout(60):
        while not server.command("shared", sql):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.01)


async def test_an_insert_under_way_is_ended_and_leaves_nothing(
    postgres_server: PostgresServer, store: PostgresStore, stalled: psycopg.Connection, postgres_options: PostgresOptions
) -> None:
    inserting = asyncio.create_task(store.insert(block(7), lease(1)))
    await begun(postgres_server)
    other = PostgresStore(postgres_options)
    await other.fence(lease(2))
    await other.quiesce(lease(2))
    with pytest.raises(StoreUnavailable):
        await inserting
    stalled.rollback()
    assert await other.present([7]) == {}
    with pytest.raises(LeaseLost):
        await store.insert(block(7), lease(1))
    await other.insert(block(7), lease(2))
    assert list((await other.present([7]))[7]) == [0, 1, 2]
    await other.close()


async def test_quiesce_lets_a_newer_owner_and_other_shards_go_on(
    postgres_server: PostgresServer, store: PostgresStore, stalled: psycopg.Connection
) -> None:
    await store.fence(lease(12))
    await store.fence(lease(3, shard=1))
    inserts = [asyncio.create_task(store.insert(block(7), lease(12)))]
    inserts.append(asyncio.create_task(store.insert(block(8), lease(3, shard=1))))
    await begun(postgres_server)
    for epoch in (3, 11, 12):
        await store.quiesce(lease(epoch))
    stalled.rollback()
    await asyncio.gather(*inserts)
    assert sorted(await store.present([7, 8])) == [7, 8]


async def test_blocks_of_one_owner_are_inserted_side_by_side(store: PostgresStore) -> None:
    await asyncio.gather(*(store.insert(block(number, 50), lease(1)) for number in range(1, 7)))
    assert {number: len(found) for number, found in (await store.present(range(10))).items()} == dict.fromkeys(range(1, 7), 50)


async def test_only_the_first_block_of_a_day_waits_for_who_changes_tables(
    postgres_server: PostgresServer, store: PostgresStore, postgres_options: PostgresOptions
) -> None:
    await store.insert(block(7), lease(1))
    with psycopg.connect(postgres_server.url("shared")) as retention:
        retention.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))
        other = PostgresStore(replace(postgres_options, insert_timeout_seconds=20))
        await other.insert(block(8), lease(1))
        await other.close()
    assert sorted(await store.present([7, 8])) == [7, 8]


async def test_an_older_epoch_cannot_fence_a_newer_one_and_an_unfenced_one_stores_nothing(store: PostgresStore) -> None:
    await store.fence(lease(9))
    with pytest.raises(LeaseLost):
        await store.fence(lease(8))
    with pytest.raises(LeaseLost):
        await store.insert(block(7), lease(10))
    with pytest.raises(LeaseLost):
        await store.insert(block(7), lease(1, shard=5))
    assert await store.present([7]) == {}


async def test_what_postgresql_cannot_hold_is_refused_and_a_foreign_block_too(store: PostgresStore) -> None:
    late = contract_frame(CODEC, 7, ["m"])
    for refused in (CODEC.encode_block([replace(late, received_ms=2**62)]), CopyBlock(b"x\ty\n", 1, frozenset({1}))):
        with pytest.raises(StoreRejected):
            await store.insert(refused, lease(1))
    with pytest.raises(StoreRejected):
        await store.insert(NativeCodec().encode_block([late]), lease(1))
    assert await store.present([7]) == {}


async def test_a_database_that_was_never_migrated_halts(postgres_server: PostgresServer) -> None:
    store = PostgresStore(postgres_server.create("bare"))
    with pytest.raises(StoreHalted):
        await store.present([7])
    await store.close()
    postgres_server.drop("bare")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = PostgresStore(PostgresOptions("postgresql://zero@127.0.0.1:1/zero", connect_timeout_seconds=1))
    with pytest.raises(StoreUnavailable):
        await store.present([7])
    await store.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A cluster of the test's own, with fsync: to kill, stop and start."""
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed on this machine: deploy/machine.sh test-packages")
    server = PostgresServer().start()
    yield server
    server.close()


async def test_stored_rows_outlive_a_killed_server_and_old_connections_do_not_matter(own_server: PostgresServer) -> None:
    options = own_server.create("zero")
    await asyncio.to_thread(migrate, options)
    store = PostgresStore(options)
    await store.fence(lease(1))
    await store.insert(block(7), lease(1))
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        await store.insert(block(8), lease(1))
    own_server.start()
    assert list((await store.present([7, 8]))[7]) == [0, 1, 2]
    assert await asyncio.to_thread(migrate, options) == []

    impatient = PostgresStore(replace(options, insert_timeout_seconds=1, connect_timeout_seconds=1))
    await impatient.present([7])
    pids = [
        int(str(pid))
        for (pid,) in own_server.command(
            "zero", "SELECT pid FROM pg_stat_activity WHERE datname = 'zero' AND pid != pg_backend_pid()"
        )
    ]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(30):
            with pytest.raises(StoreUnavailable):
                await impatient.present([7])
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await impatient.close()
    await store.close()
