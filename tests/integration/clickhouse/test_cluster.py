"""The store over a cluster of two shards: the contract that one server keeps, and what only a cluster has to keep."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.contract.store_contract import MakeFrame, StoreContract, contract_frame, lease
from tests.integration.clickhouse.conftest import Raw
from tests.integration.clickhouse_cluster import LIMPING, TORN
from tests.integration.clickhouse_server import ClickHouseServer
from tests.patience import soon
from zero.application.ports import Block
from zero.domain.errors import ConfigurationError, StoreUnavailable
from zero.embedded.clickhouse.engine import quote_text
from zero.infrastructure.clickhouse.cluster import servers
from zero.infrastructure.clickhouse.cluster_report import cluster_report
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.migrations import migrate, migrations
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.store import ClickHouseStore
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()


@pytest.fixture
def cluster(clickhouse_cluster: tuple[ClickHouseServer, ClickHouseOptions]) -> ClickHouseOptions:
    """The cluster, its tables empty and without doors."""
    client = connect_writer(clickhouse_cluster[1])
    doors = client.query("SELECT name FROM system.tables WHERE startsWith(name, 'logs_door_')").result_rows
    for table in [door for (door,) in doors]:
        client.command(f"DROP TABLE {table} SYNC")
    client.command("TRUNCATE TABLE logs_local")
    client.close()
    return clickhouse_cluster[1]


@pytest.fixture
async def store(cluster: ClickHouseOptions) -> AsyncIterator[ClickHouseStore]:
    store = ClickHouseStore(cluster)
    yield store
    await store.close()


class TestClickHouseCluster(StoreContract):
    """Every promise of the port."""

    @pytest.fixture
    def codec(self) -> NativeCodec:
        return CODEC

    @pytest.fixture
    def make_frame(self) -> MakeFrame:
        return lambda batch_id, messages: contract_frame(CODEC, batch_id, messages)

    @pytest.fixture
    def rejected_block(self, make_frame: MakeFrame) -> Block:
        """A block whose last column is cut: the server reads it and refuses it."""
        block = CODEC.encode_block([make_frame(7, ["a", "b"])])
        return Block(block.data[:-3], block.rows)


def block(batch_id: int, count: int = 3) -> Block:
    return CODEC.encode_block([contract_frame(CODEC, batch_id, [f"m{index}" for index in range(count)])])


def test_a_cluster_that_the_server_does_not_know_is_refused_with_the_name_of_the_setting(cluster: ClickHouseOptions) -> None:
    with pytest.raises(ConfigurationError, match=r"ZERO_CLICKHOUSE_CLUSTER=mian: .* but limping, pair, torn;"):
        migrate(replace(cluster, cluster="mian"))


async def test_a_drain_stops_when_its_cluster_is_unknown(cluster: ClickHouseOptions) -> None:
    store = ClickHouseStore(replace(cluster, cluster="mian"))
    with pytest.raises(ConfigurationError, match="ZERO_CLICKHOUSE_CLUSTER"):
        await store.fence(lease(1))
    await store.close()


async def test_blocks_of_different_shards_lie_beside_each_other_and_are_found_by_any(
    cluster: ClickHouseOptions, store: ClickHouseStore
) -> None:
    for shard in range(4):
        await store.fence(lease(1, shard))
        await store.insert(block(100 + shard), lease(1, shard))
    found = await store.present(range(99, 105))
    assert {bid: sorted(indexes) for bid, indexes in found.items()} == {bid: [0, 1, 2] for bid in range(100, 104)}
    client = connect_writer(cluster)
    assert client.command("SELECT count() FROM logs") == 12
    client.close()


async def test_quiesce_stops_inserts_where_they_were_sent_and_where_they_are_stored(
    clickhouse_cluster: tuple[ClickHouseServer, ClickHouseOptions], cluster: ClickHouseOptions, store: ClickHouseStore
) -> None:
    for shard in (0, 1):
        await store.fence(lease(1, shard))
    raw = Raw(clickhouse_cluster[0], cluster.database)
    sent = "INSERT INTO FUNCTION cluster('pair', 'zero', 'logs_door_0_1') SETTINGS insert_shard_id = 1 FORMAT TSV"
    stored = "INSERT INTO zero.logs_door_0_1 (tenant, message) FORMAT TSV"
    others = "INSERT INTO zero.logs_door_1_1 (tenant, message) FORMAT TSV"
    running = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE '%logs_door_%'"
    with raw.connect() as one, raw.connect() as two, raw.connect() as three:
        for connection, sql in ((one, sent), (two, stored), (three, others)):
            connection.sendall(raw.head(sql, 100))
        soon(lambda: raw.text(running) == "3")
        await store.quiesce(lease(1))
        assert raw.text(running) == "3"
        await store.quiesce(lease(2))
        assert raw.text(running) == "1"
    soon(lambda: raw.text(running) == "0")


async def test_with_a_dead_replica_the_inserts_it_may_run_are_given_their_time_and_rows_are_found(
    cluster: ClickHouseOptions,
) -> None:
    store = ClickHouseStore(replace(cluster, cluster=LIMPING))
    await store.fence(lease(1))
    hasty = ClickHouseStore(replace(cluster, cluster=LIMPING, insert_timeout_seconds=1))
    began = time.monotonic()
    await hasty.quiesce(lease(1))
    assert time.monotonic() - began >= 1.0
    await hasty.close()
    await store.insert(block(7), lease(1))
    assert list((await store.present([7, 8]))[7]) == [0, 1, 2]
    await store.close()


async def test_shards_that_wait_for_silent_servers_hold_neither_the_others_nor_the_end_up(cluster: ClickHouseOptions) -> None:
    store = ClickHouseStore(replace(cluster, cluster=LIMPING))
    await store.fence(lease(1))
    waiting = [asyncio.create_task(store.quiesce(lease(1, shard))) for shard in range(1, cluster.connections_max + 2)]
    await store.insert(block(7), lease(1))
    assert list((await store.present([7]))[7]) == [0, 1, 2]
    assert not any(task.done() for task in waiting)
    await store.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in ended} <= {StoreUnavailable, RuntimeError, asyncio.CancelledError}


def test_a_server_that_is_away_does_not_keep_the_others_from_their_tables(cluster: ClickHouseOptions) -> None:
    assert migrate(replace(cluster, cluster=LIMPING)) == []


async def test_nothing_is_called_absent_while_a_whole_shard_is_away(cluster: ClickHouseOptions) -> None:
    store = ClickHouseStore(replace(cluster, cluster=TORN))
    with pytest.raises(StoreUnavailable):
        await store.present([7])
    await store.close()


async def test_every_statement_for_a_cluster_is_one_of_the_engines_grammar(
    clickhouse_cluster: tuple[ClickHouseServer, ClickHouseOptions], cluster: ClickHouseOptions
) -> None:
    """The engine here cannot run them on other servers; its parser takes them as they are sent."""
    raw, seen = Raw(clickhouse_cluster[0], "default"), [one for made in migrations(cluster) for one in made.statements]
    here = servers(cluster)
    seen += [
        f"SYSTEM SYNC REPLICA{here.on_cluster} `zero`.logs_local LIGHTWEIGHT",
        f"CREATE TABLE IF NOT EXISTS logs_door_0_1{here.on_cluster} ENGINE = Alias('logs_local')",
        f"DROP TABLE IF EXISTS logs_door_0_1{here.on_cluster}",
        f"KILL QUERY{here.on_cluster} WHERE {here.running('/* zero shard=0 epoch=', 'logs_door_0_', 7)} SYNC",
        f"ALTER TABLE logs_local{here.on_cluster} MODIFY TTL toDate32(received_at) + toIntervalDay(3)",
        f"DELETE FROM pattern_words_local{here.on_cluster} WHERE tenant = 't' AND pattern_id IN [1, 2]",
        f"CREATE DATABASE IF NOT EXISTS `zero`{here.on_cluster}",
    ]
    for statement in seen:
        assert "ON CLUSTER" in raw.text(f"SELECT formatQuerySingleLine({quote_text(statement)})"), statement


def test_the_doctor_says_what_a_cluster_lacks(cluster: ClickHouseOptions) -> None:
    what, wrong = cluster_report(replace(cluster, cluster=LIMPING, quorum="2"), 3)
    assert what == "cluster limping: 2 shards, 3 servers"
    assert wrong == [
        "ZERO_SHARDS=3 is no multiple of 2 shards: they are filled unevenly",
        "a shard has one replica: its logs are on one disk",
        "1 servers do not answer",
        "<macros> of 127.0.0.1 lack shard and replica, which ZERO_CLICKHOUSE_CLUSTER needs on every server",
        "127.0.0.1 reaches no Keeper, which replicated tables need",
    ]
