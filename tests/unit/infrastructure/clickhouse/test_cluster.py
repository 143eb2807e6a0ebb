"""What an insert says to a cluster, and how a table is shown to servers that lack it."""

from typing import Any

import pytest

from zero.application.ports import Lease
from zero.domain.errors import StoreHalted
from zero.infrastructure.clickhouse.cluster import Cluster, OneServer, servers, writing
from zero.infrastructure.clickhouse.migrations import everywhere
from zero.infrastructure.clickhouse.options import ClickHouseOptions

OPTIONS = ClickHouseOptions("http://h/zero", cluster="main", quorum="2", insert_timeout_seconds=60)


class Asked:
    """Answers every question with the same number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def raw_query(self, *_: Any, **__: Any) -> bytes:
        return b"%d\n" % self._number


def looked(shards: int) -> Cluster:
    cluster = Cluster(OPTIONS)
    cluster.look(Asked(shards))  # type: ignore[arg-type]
    return cluster


def test_a_shard_of_the_buffer_always_fills_the_same_shard_of_the_cluster() -> None:
    cluster = looked(3)
    placed = [cluster.settings(Lease(shard, "a", 1), b"x")["insert_shard_id"] for shard in range(7)]
    assert placed == [1, 2, 3, 1, 2, 3, 1]


def test_only_the_same_block_under_the_same_epoch_has_the_same_token() -> None:
    cluster = looked(2)
    leases = [Lease(0, "a", 1), Lease(0, "b", 2), Lease(2, "a", 1)]
    tokens = [cluster.settings(lease, data)["insert_deduplication_token"] for lease in leases for data in (b"x", b"y")]
    assert len(set(tokens)) == len(tokens)
    assert cluster.settings(leases[0], b"x")["insert_deduplication_token"] == tokens[0]


def test_one_server_gets_no_settings_of_a_cluster() -> None:
    alone = ClickHouseOptions("http://h/zero")
    assert writing(alone) == {}
    assert type(servers(alone)) is OneServer
    assert OneServer(alone).settings(Lease(0, "a", 1), b"x") == {"insert_deduplicate": 0}


def test_a_cluster_is_written_to_with_its_quorum_and_never_through_a_queue() -> None:
    settings = writing(OPTIONS)
    assert (settings["insert_quorum"], settings["insert_quorum_timeout"]) == ("2", 30_000)
    assert settings["distributed_foreground_insert"] == 1


@pytest.mark.parametrize(
    ("code", "text", "fenced"),
    [
        (60, "Table zero.logs_door_0_1 does not exist. (UNKNOWN_TABLE)", True),
        (519, "All attempts … Code: 60. Table zero.logs_door_0_1 does not exist. (UNKNOWN_TABLE)", True),
        (519, "All attempts to get table structure of logs_door_0_1 failed: Connection refused", False),
        (60, "Table zero.logs_local does not exist. (UNKNOWN_TABLE)", False),
        (279, "All connection tries failed", False),
    ],
)
def test_only_a_missing_door_means_fenced(code: int, text: str, fenced: bool) -> None:
    assert Cluster(OPTIONS).is_fenced(code, text, "logs_door_0_1") is fenced


def test_a_table_is_made_elsewhere_as_it_is_shown() -> None:
    shown = "CREATE TABLE zero.logs_local (`a` UInt64) ENGINE = ReplicatedMergeTree('/p/{shard}', '{replica}') ORDER BY a"
    assert everywhere(shown, "logs_local", OPTIONS) == (
        "CREATE TABLE IF NOT EXISTS `zero`.`logs_local` ON CLUSTER 'main'"
        " (`a` UInt64) ENGINE = ReplicatedMergeTree('/p/{shard}', '{replica}') ORDER BY a"
    )
    with pytest.raises(StoreHalted):
        everywhere("CREATE VIEW zero.logs AS SELECT 1", "logs", OPTIONS)
