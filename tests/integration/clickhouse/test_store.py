"""The store adapter when the server does not do what one hopes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.store_contract import contract_frame, lease
from tests.integration.clickhouse.conftest import Hooks, Raw
from tests.integration.clickhouse_server import ClickHouseServer
from zero.application.ports import Block
from zero.domain.errors import LeaseLost, StoreHalted, StoreRejected, StoreUnavailable, ZeroError
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.store import ClickHouseStore
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()
DOOR = "logs_door_0_1"


@pytest.fixture
async def store(clickhouse_options: ClickHouseOptions) -> AsyncIterator[ClickHouseStore]:
    store = ClickHouseStore(clickhouse_options)
    await store.fence(lease(1))
    yield store
    await store.close()


@pytest.fixture
def hooks(clickhouse_server: ClickHouseServer) -> Hooks:
    return Hooks(Raw(clickhouse_server, "default"))


def block(batch_id: int, count: int = 3) -> Block:
    return CODEC.encode_block([contract_frame(CODEC, batch_id, [f"m{index}" for index in range(count)])])


async def test_a_connection_cut_after_the_commit_is_unknown_and_never_sent_again(store: ClickHouseStore, hooks: Hooks) -> None:
    hooks.arm(kind="commit_then_cut", match=DOOR)
    with pytest.raises(StoreUnavailable):
        await store.insert(block(7), lease(1))
    assert list((await store.present([7]))[7]) == [0, 1, 2]


async def test_an_error_after_the_commit_is_unknown_and_the_rows_are_found(store: ClickHouseStore, hooks: Hooks) -> None:
    hooks.arm(kind="error_after_commit", match=DOOR, code=243)
    with pytest.raises(StoreUnavailable):
        await store.insert(block(7), lease(1))
    assert list((await store.present([7]))[7]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, StoreRejected) for code in (41, 117, 469, 691)),
        *((code, StoreHalted) for code in (16, 81, 497, 516)),
        *((code, StoreUnavailable) for code in (159, 164, 202, 203, 204, 210, 241, 242, 243, 252, 479)),
    ],
)
async def test_an_error_code_says_what_to_do(store: ClickHouseStore, hooks: Hooks, code: int, kind: type[ZeroError]) -> None:
    hooks.arm(kind="error_before", match=DOOR, code=code)
    with pytest.raises(kind):
        await store.insert(block(7), lease(1))
    assert await store.present([7]) == {}
    await store.insert(block(7), lease(1))


async def test_a_slow_insert_times_out_and_quiesce_waits_for_its_end(
    clickhouse_options: ClickHouseOptions, hooks: Hooks
) -> None:
    store = ClickHouseStore(replace(clickhouse_options, insert_timeout_seconds=1))
    await store.fence(lease(1))
    hooks.arm(kind="delay", match=DOOR, seconds=2.0)
    with pytest.raises(StoreUnavailable):
        await store.insert(block(7), lease(1))
    other = ClickHouseStore(clickhouse_options)
    await other.fence(lease(2))
    await other.quiesce(lease(2))
    found = await other.present([7])
    await asyncio.sleep(2.5)
    assert await other.present([7]) == found
    await store.close()
    await other.close()


async def test_quiesce_stops_the_inserts_of_its_shard_and_no_other(
    clickhouse_server: ClickHouseServer, store: ClickHouseStore
) -> None:
    raw = Raw(clickhouse_server, store._options.database)
    with raw.connect() as mine, raw.connect() as other:
        mine.sendall(raw.head(f"INSERT INTO /* zero shard=0 epoch=1 */ {DOOR} FORMAT TSV", 100))
        other.sendall(raw.head("INSERT INTO /* zero shard=01 epoch=1 */ logs FORMAT TSV", 100))
        await store.quiesce(lease(2))
        assert (
            raw.text("SELECT count() FROM system.processes WHERE query LIKE '%zero shard=0 %' AND query_kind='Insert'") == "0"
        )
        assert (
            raw.text("SELECT count() FROM system.processes WHERE query LIKE '%zero shard=01 %' AND query_kind='Insert'") == "1"
        )


async def test_quiesce_lets_the_inserts_of_a_newer_owner_go_on(
    clickhouse_server: ClickHouseServer, store: ClickHouseStore
) -> None:
    raw = Raw(clickhouse_server, store._options.database)
    running = "SELECT count() FROM system.processes WHERE query LIKE '%zero shard=0 %' AND query_kind='Insert'"
    with raw.connect() as newer:
        newer.sendall(raw.head(f"INSERT INTO /* zero shard=0 epoch=12 */ {DOOR} FORMAT TSV", 100))
        for epoch in (3, 11, 12):
            await store.quiesce(lease(epoch))
            assert raw.text(running) == "1"
        await store.quiesce(lease(13))
        assert raw.text(running) == "0"


async def test_the_text_index_is_made_by_the_first_merge_and_words_are_found_before_and_after(
    clickhouse_options: ClickHouseOptions, store: ClickHouseStore
) -> None:
    client = connect_writer(clickhouse_options)
    size = "SELECT sum(data_compressed_bytes) FROM system.data_skipping_indices WHERE table = 'logs' AND name = 'message_words'"
    own = f"{size} AND database = currentDatabase()"
    found = "SELECT count() FROM logs WHERE hasToken(lower(message), 'm1')"
    for batch_id in (7, 8):
        await store.insert(block(batch_id), lease(1))
    assert (client.command(own), client.command(found)) == (0, 2)
    client.command("OPTIMIZE TABLE logs FINAL")
    assert client.command(found) == 2
    assert int(str(client.command(own))) > 0
    assert "posting_list_codec = \\'bitpacking" in str(client.command("SHOW CREATE TABLE logs"))
    client.close()


async def test_an_older_epoch_cannot_fence_a_newer_one(store: ClickHouseStore) -> None:
    await store.fence(lease(9))
    with pytest.raises(LeaseLost):
        await store.fence(lease(8))


async def test_a_missing_table_halts(clickhouse_options: ClickHouseOptions, store: ClickHouseStore) -> None:
    client = connect_writer(clickhouse_options)
    client.command("DROP TABLE logs SYNC")
    client.close()
    with pytest.raises(StoreHalted):
        await store.present([7])


async def test_what_a_column_held_that_the_table_has_lost_is_not_dropped_unseen(
    clickhouse_options: ClickHouseOptions, store: ClickHouseStore
) -> None:
    client = connect_writer(clickhouse_options)
    client.command("ALTER TABLE logs RENAME COLUMN user_id TO uid")
    client.close()
    with pytest.raises(StoreHalted):
        await store.insert(block(7), lease(1))
    assert await store.present([7]) == {}


async def test_a_look_up_that_a_bound_of_the_user_cuts_short_fails(store: ClickHouseStore) -> None:
    for batch_id in (7, 8):
        await store.insert(block(batch_id), lease(1))
    assert store._client is not None
    for name, value in (("max_rows_to_read", 1), ("read_overflow_mode", "break")):
        store._client.set_client_setting(name, value)
    with pytest.raises(StoreUnavailable):
        await store.present([7, 8])


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = ClickHouseStore(ClickHouseOptions("http://127.0.0.1:1/zero", connect_timeout_seconds=1))
    with pytest.raises(StoreUnavailable):
        await store.present([7])
    await store.close()


async def test_acknowledged_rows_outlive_a_killed_server(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path).start()
    options = server.options("zero")
    migrate(options)
    store = ClickHouseStore(options)
    await store.fence(lease(1))
    await store.insert(block(7), lease(1))
    server.send(signal.SIGKILL)
    server.process.wait(10)
    with pytest.raises(StoreUnavailable):
        await store.insert(block(8), lease(1))
    await store.close()
    server.close()
    server.start()
    again = ClickHouseStore(server.options("zero"))
    assert migrate(server.options("zero")) == []
    assert list((await again.present([7, 8]))[7]) == [0, 1, 2]
    await again.close()
    assert server.close() == 0
