"""Numbered migrations: SQL files applied in order, each once; running them twice, or two at once, does no harm.

Every statement is idempotent (IF NOT EXISTS), so two runs at once may both apply a file; the table ``zero_migrations`` says
which files are done, as long as the tables that they made are there. Retention is a setting, not a migration: the TTL is
altered whenever it differs. In a cluster, servers that lack tables which others have get them as they are now: the first file
would no longer fit their replicas.
"""

import re
from dataclasses import dataclass
from importlib import resources
from string import Template

from clickhouse_connect.driver.client import Client

from zero.domain.errors import StoreHalted
from zero.infrastructure.clickhouse.cluster import Cluster, on_cluster
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.errors import translated
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.rows import read_json_rows

# The tables that a cluster distributes, and by what. Rows of one batch go to one server: an insert stays one part for each
# partition. All versions of a pattern go to one server, which is the one that knows the latest.
_SHARDED_BY = {"logs": "_bid", "patterns": "pattern_id", "pattern_words": "pattern_id", "pattern_vectors": "pattern_id"}
_KEPT_AS_LONG_AS_LOGS = ("logs", "patterns")
_FILE = re.compile(r"(\d{4})_(\w+)\.sql\Z")
_MADE = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of ``sql/``: its number, its name, its statements."""

    number: int
    name: str
    statements: tuple[str, ...]


def migrate(options: ClickHouseOptions) -> list[str]:
    """Bring the store up to date; returns the names of the migrations applied now. Raises StoreUnavailable or StoreHalted."""
    with translated():
        _create_database(options)
        client = connect_writer(options)
        try:
            _complete(client, options)
            applied = _apply(client, options)
            _set_retention(client, options)
            _pack_postings(client, options)
            return applied
        finally:
            client.close()


def migrations(options: ClickHouseOptions) -> list[Migration]:
    """Return all migrations in order, their text made for one server or for a cluster."""
    found = []
    for file in sorted(resources.files("zero.infrastructure.clickhouse").joinpath("sql").iterdir(), key=lambda file: file.name):
        name = _FILE.match(file.name)
        if name is not None:
            text = Template(file.read_text(encoding="utf-8")).substitute(_values(options))
            statements = tuple(statement.strip() for statement in text.split(";\n") if statement.strip())
            found.append(Migration(int(name[1]), file.name.removesuffix(".sql"), statements))
    return found


def _values(options: ClickHouseOptions) -> dict[str, str]:
    """Return what the templates leave open. In a cluster each table is distributed over ``<table>_local`` on every server."""
    values = {"ttl": _ttl(options), "on_cluster": "", "suffix": "", "engine": "MergeTree", "distributed": ""}
    values["versioned_engine"] = "ReplacingMergeTree(version)"
    values |= {f"distributed_{table}": "" for table in _SHARDED_BY}
    if options.cluster is not None:
        place = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
        values |= {"on_cluster": on_cluster(options).strip(), "suffix": "_local"}
        values |= {
            "engine": f"ReplicatedMergeTree({place})",
            "versioned_engine": f"ReplicatedReplacingMergeTree({place}, version)",
        }
        values |= {f"distributed_{table}": _distributed(options.cluster, table) for table in _SHARDED_BY}
    return {**values, "local": f"logs{values['suffix']}", "distributed": values["distributed_logs"]}


def _distributed(cluster: str, table: str) -> str:
    engine = f"Distributed('{cluster}', currentDatabase(), '{table}_local', {_SHARDED_BY[table]})"
    return f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER '{cluster}' AS {table}_local ENGINE = {engine};\n"


def _ttl(options: ClickHouseOptions) -> str:
    """Return the TTL. It counts from the receipt, so that nothing acknowledged is already due; and from the midnight before
    it, so one day more."""
    return f"toDate32(received_at) + toIntervalDay({options.retention_days + 1})"


def _create_database(options: ClickHouseOptions) -> None:
    client = connect_writer(options, "default")
    try:
        client.command(f"CREATE DATABASE IF NOT EXISTS `{options.database}`{on_cluster(options)}")
    finally:
        client.close()


def _complete(client: Client, options: ClickHouseOptions) -> None:
    """Make the tables that some servers of the cluster have on those that lack them: replicas and shards that were added."""
    if options.cluster is None:
        return
    cluster = Cluster(options)
    sql = (
        f"SELECT name, any(create_table_query) FROM {cluster.system('tables')} WHERE database = {{database:String}}"
        " AND (name = 'zero_migrations' OR name IN {tables:Array(String)}) GROUP BY name"
        f" HAVING count() < {cluster.answering(client)} ORDER BY endsWith(name, '_local') DESC, name"
        " SETTINGS skip_unavailable_shards = 1"
    )
    tables = [f"{table}{suffix}" for table in _SHARDED_BY for suffix in ("_local", "")]
    rows = read_json_rows(client.raw_query(sql, {"database": options.database, "tables": tables}, fmt="JSONCompactEachRow"))
    for name, made in rows:
        client.command(everywhere(str(made), str(name), options))


def everywhere(made: str, name: str, options: ClickHouseOptions) -> str:
    """Return the statement that makes a table on every server that lacks it, from the one that shows how it was made."""
    head, _, rest = made.partition("(")
    if not head.startswith("CREATE TABLE ") or name not in head:
        raise StoreHalted(f"cannot read how {name} was made: {made[:200]}", store_code=0)
    return f"CREATE TABLE IF NOT EXISTS `{options.database}`.`{name}`{on_cluster(options)} ({rest}"


def _apply(client: Client, options: ClickHouseOptions) -> list[str]:
    values = _values(options)
    columns = "(number UInt32, name String, applied_at DateTime DEFAULT now())"
    engine = values["engine"]
    if options.cluster is not None:  # one table for all shards: each has what is migrated
        engine = "ReplicatedMergeTree('/clickhouse/tables/{database}/zero_migrations', '{shard}-{replica}')"
    client.command(
        f"CREATE TABLE IF NOT EXISTS zero_migrations {values['on_cluster']} {columns}"
        f" ENGINE = {engine} ORDER BY number SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
    )
    all_of_them = migrations(options)
    known = _standing(client, all_of_them)
    applied = []
    for migration in all_of_them:
        if migration.number in known:
            continue
        for statement in migration.statements:
            client.command(statement)
        row = {"number": migration.number, "name": migration.name}
        client.command("INSERT INTO zero_migrations (number, name) SELECT {number:UInt32}, {name:String}", row)
        applied.append(migration.name)
    return applied


def _standing(client: Client, all_of_them: list[Migration]) -> set[int]:
    """Return which are done and still stand: where a table was dropped since, what made it and all that follows is not."""
    known = {int(number) for number in client.raw_query("SELECT number FROM zero_migrations", fmt="TSV").split()}
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase()"
    there = set(client.raw_query(sql, fmt="TSV").decode().split())
    for migration in all_of_them:
        if not there.issuperset(_MADE.findall("\n".join(migration.statements))):
            return {number for number in known if number < migration.number}
    return known


def _set_retention(client: Client, options: ClickHouseOptions) -> None:
    """Alter the TTL when it differs. Existing parts keep theirs until they merge; whole parts are dropped when due."""
    values = _values(options)
    for table in _KEPT_AS_LONG_AS_LOGS:
        local = f"{table}{values['suffix']}"
        if f"TTL {_ttl(options)} " not in _how_made(client, local):
            client.command(f"ALTER TABLE {local} {values['on_cluster']} MODIFY TTL {_ttl(options)}")


def _pack_postings(client: Client, options: ClickHouseOptions) -> None:
    """Compress the postings of the text index, from the next merges on, where the server can (docs/decisions/0125)."""
    values, name = _values(options), "text_index_posting_list_codec"
    table = f"logs{values['suffix']}"
    known = client.raw_query("SELECT count() FROM system.merge_tree_settings WHERE name = {name:String}", {"name": name})
    if int(known) and f"{name} = 'bitpacking'" not in _how_made(client, table):
        client.command(f"ALTER TABLE {table} {values['on_cluster']} MODIFY SETTING {name} = 'bitpacking'")


def _how_made(client: Client, table: str) -> str:
    sql = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}"
    return client.raw_query(sql, {"name": table}, fmt="TSVRaw").decode()
