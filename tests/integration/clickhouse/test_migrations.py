"""Migrations against a real server."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tests.integration.clickhouse_server import ClickHouseServer
from tests.patience import soon
from zero.infrastructure.clickhouse.connection import connect_writer, server_version
from zero.infrastructure.clickhouse.migrations import migrate, migrations
from zero.infrastructure.clickhouse.options import ClickHouseOptions


def test_a_second_run_applies_nothing(clickhouse_options: ClickHouseOptions) -> None:
    assert migrate(clickhouse_options) == []


def test_a_table_that_was_dropped_is_made_again(clickhouse_options: ClickHouseOptions) -> None:
    client = connect_writer(clickhouse_options)
    before = client.command("SHOW CREATE TABLE logs")
    client.command("DROP TABLE logs SYNC")
    assert migrate(clickhouse_options) == [migration.name for migration in migrations(clickhouse_options)]
    assert client.command("SHOW CREATE TABLE logs") == before
    assert migrate(clickhouse_options) == []
    client.close()


def test_two_runs_at_once_do_no_harm(clickhouse_server: ClickHouseServer) -> None:
    options = clickhouse_server.options("migrated_twice")
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: migrate(options), range(4)))
    assert [migration.name for migration in migrations(options)] in runs
    client = connect_writer(options)
    assert client.command("SELECT count() FROM logs") == 0
    client.command("DROP DATABASE migrated_twice SYNC")
    client.close()


def test_what_was_stored_before_counts_were_kept_is_counted_too(clickhouse_server: ClickHouseServer) -> None:
    options = clickhouse_server.options("counted_later")
    migrate(options)
    client = connect_writer(options)
    client.command("ALTER TABLE logs DROP PROJECTION counts SETTINGS mutations_sync = 2")
    client.command("DELETE FROM zero_migrations WHERE number = 4")
    rows = "'t', now64(9) - number, 'm', number % 3, number"
    client.command(f"INSERT INTO logs (tenant, timestamp, message, pattern_id, _idx) SELECT {rows} FROM numbers(1000)")
    assert migrate(options) == ["0004_counts"]
    known = "SELECT sum(rows) FROM system.projection_parts WHERE active AND database = 'counted_later' AND name = 'counts'"
    soon(lambda: int(client.command(known) or 0), "the counts of what was there are never made")
    assert int(client.command(known)) < 50
    counted = "SELECT pattern_id, count() FROM logs WHERE tenant = 't' GROUP BY pattern_id ORDER BY pattern_id"
    found = client.query(counted, settings={"force_optimize_projection_name": "counts"}).result_rows
    assert found == [(0, 334), (1, 333), (2, 333)]
    client.command("DROP DATABASE counted_later SYNC")
    client.close()


def test_a_changed_retention_alters_the_table(clickhouse_options: ClickHouseOptions) -> None:
    client = connect_writer(clickhouse_options)
    for days in (7, 365, 36_500):
        migrate(replace(clickhouse_options, retention_days=days))
        assert f"toIntervalDay({days + 1})" in str(client.command("SHOW CREATE TABLE logs"))
    client.close()


def test_the_server_says_its_version(clickhouse_options: ClickHouseOptions) -> None:
    found = server_version(clickhouse_options)
    assert found.fits
    assert found.version.startswith("26.")


def test_an_id_is_shown_as_24_hex_digits_and_a_trace_as_it_came(clickhouse_options: ClickHouseOptions) -> None:
    client = connect_writer(clickhouse_options)
    traces = ["unhex('0af7651916cd43dd8448eb211c80319c')", "'short'", "'exactly-16-bytes\\0'", "''"]
    for number, trace in enumerate(traces):
        values = f"'t', now64(9), 'm', {trace}, 255, {number}"
        client.command(f"INSERT INTO logs (tenant, timestamp, message, _trace, _bid, _idx) SELECT {values}")
    found = client.query("SELECT id, trace_id FROM logs ORDER BY _idx").result_rows
    assert found == [
        ("00000000000000ff00000000", "0af7651916cd43dd8448eb211c80319c"),
        ("00000000000000ff00000001", "short"),
        ("00000000000000ff00000002", "exactly-16-bytes"),
        ("00000000000000ff00000003", ""),
    ]
    client.close()


def test_an_entry_older_than_the_retention_time_is_kept_that_long_from_its_receipt(
    clickhouse_options: ClickHouseOptions,
) -> None:
    migrate(replace(clickhouse_options, retention_days=1))
    client = connect_writer(clickhouse_options)
    columns = "INSERT INTO logs (tenant, timestamp, received_at, message)"
    client.command(f"{columns} SELECT 't', now64(9) - INTERVAL 20 DAY, now64(3), 'kept'")
    client.command("OPTIMIZE TABLE logs FINAL")
    assert client.query("SELECT message FROM logs").result_rows == [("kept",)]
    client.close()


def test_an_entry_is_kept_for_all_of_the_retention_time(clickhouse_options: ClickHouseOptions) -> None:
    migrate(replace(clickhouse_options, retention_days=30))
    client = connect_writer(clickhouse_options)
    columns = "INSERT INTO logs (tenant, timestamp, received_at, message) SELECT 't', now64(9) - INTERVAL 719 HOUR, now64(3)"
    client.command(f"{columns} - INTERVAL 719 HOUR, 'kept'")
    client.command(f"{columns} - INTERVAL 32 DAY, 'dropped'")
    client.command("OPTIMIZE TABLE logs FINAL")
    assert client.query("SELECT message FROM logs").result_rows == [("kept",)]
    client.close()


def test_an_unchanged_retention_leaves_the_table_alone(clickhouse_options: ClickHouseOptions) -> None:
    client = connect_writer(clickhouse_options)
    changed = "SELECT metadata_modification_time FROM system.tables WHERE name = 'logs' AND database = currentDatabase()"
    migrate(clickhouse_options)
    before = client.command(changed)
    time.sleep(1.1)  # the time has seconds only
    migrate(clickhouse_options)
    assert client.command(changed) == before
    client.close()
