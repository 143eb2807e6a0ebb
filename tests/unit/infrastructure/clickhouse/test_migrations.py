"""The text of the migrations, for one server and for a cluster."""

from zero.infrastructure.clickhouse.migrations import migrations
from zero.infrastructure.clickhouse.options import ClickHouseOptions


def test_numbers_count_up_from_one() -> None:
    found = migrations(ClickHouseOptions("http://h"))
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))


def test_one_server_has_one_plain_table() -> None:
    (statement,) = migrations(ClickHouseOptions("http://h", retention_days=7))[0].statements
    assert statement.startswith("CREATE TABLE IF NOT EXISTS logs \n(")
    assert "ENGINE = MergeTree\n" in statement
    assert "toIntervalDay(8)" in statement  # from midnight: the first of the seven days counts in full
    assert "$" not in statement


def test_a_cluster_has_replicas_under_a_distributed_table() -> None:
    local, distributed = migrations(ClickHouseOptions("http://h", cluster="main"))[0].statements
    assert local.startswith("CREATE TABLE IF NOT EXISTS logs_local ON CLUSTER 'main'")
    assert "ENGINE = ReplicatedMergeTree(" in local
    assert distributed.startswith("CREATE TABLE IF NOT EXISTS logs ON CLUSTER 'main' AS logs_local ENGINE = Distributed('main'")
