"""The text of the migrations, for one server and for a cluster."""

from hashlib import sha256
from importlib import resources

from zero.infrastructure.clickhouse.migrations import migrations
from zero.infrastructure.clickhouse.options import ClickHouseOptions

FROZEN = {
    "0001_logs.sql": "8d41b9b69c7e1d4edf9200f2c26fd845d94e72174352fd3a075c3ab122434c83",
    "0002_patterns.sql": "9f8835c0be6cd3129956009d8c6a44d19232a554b48b309a58de49dacfabacce",
    "0003_pattern_vectors.sql": "376a24de9cbcb4f80dc6f16ccaff01b5ed842ef9eb1e0d9a719daa58be445afc",
    "0004_counts.sql": "23139683326432a03ccb7d70950a01df1ccbb1cbb94c6cd81827332e8232d3f3",
    "0005_minutes.sql": "bf95169839d09c9c5a53d983e56258423a8f94f1c50025111c10d678affa8d89",
    "0006_phrases.sql": "7fe32b067933dee9a9c72f0874ef8b27632c139a0fb4a85c36934331ea876d1d",
}


def test_a_migration_that_was_released_is_never_edited() -> None:
    """Stores that have applied it would stay as they are: put what changes into a new file, and its checksum here."""
    folder = resources.files("zero.infrastructure.clickhouse").joinpath("sql")
    files = {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.name.endswith(".sql")}
    assert files == FROZEN


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
