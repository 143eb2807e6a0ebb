"""What neither user can do, and what the reader cannot."""

from pathlib import Path

import pytest

from tests.integration.clickhouse.conftest import Raw

SECRET = "a-line-that-must-not-leave"
REFUSED = {164, 497, 452, 115}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret.csv"
    file.write_text(f"{SECRET},1\n")
    return file


READS = [
    "SELECT * FROM file('{f}')",
    "SELECT * FROM `file`('{f}')",
    "SELECT count() FROM (SELECT * FROM file('{f}', 'CSV', 'a String, b Int'))",
    "SELECT (SELECT a FROM file('{f}', 'CSV', 'a String, b Int'))",
    "WITH x AS (SELECT * FROM file('{f}')) SELECT * FROM x",
    "SELECT a FROM t WHERE b IN (SELECT a FROM file('{f}', 'CSV', 'a String, b Int'))",
    "SELECT 1 UNION ALL SELECT b FROM file('{f}', 'CSV', 'a String, b Int')",
    "SELECT * FROM view(SELECT * FROM file('{f}'))",
    "SELECT * FROM loop(file('{f}'))",
    "SELECT * FROM remote('127.0.0.1', file('{f}'))",
    "EXPLAIN SELECT * FROM file('{f}')",
    "DESCRIBE TABLE file('{f}')",
    "DESCRIBE file('{f}')",
    "SELECT file('{f}')",
    "SELECT `file`('{f}')",
    "SELECT \"file\"('{f}')",
    "SELECT `fi\\x6ce`('{f}')",
    "SELECT file /* x */ ('{f}')",
    "SELECT file -- x\n('{f}')",
    "SELECT arrayMap(file, ['{f}'])",
    "SELECT * APPLY file FROM (SELECT '{f}' AS p)",
    "SELECT * APPLY(file) FROM (SELECT '{f}' AS p)",
    "SELECT \u2018'\u2019, file('{f}'), \u2018'\u2019",
    "SELECT $$'$$, file('{f}'), $$'$$",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "DESCRIBE url('http://127.0.0.1:1/', 'CSV')",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'x String')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "SELECT * FROM python('sys')",
    "SELECT * FROM Python(passwords)",
    "SELECT 1 INTO OUTFILE '{f}.out'",
    "SELECT 1 INTO /* x */ OUTFILE '{f}.out'",
]
WRITES_OUTSIDE = [
    "INSERT INTO FUNCTION file('{f}.out', 'CSV', 'a UInt8') SELECT 1",
    "INSERT INTO FUNCTION file('{f}.out', 'CSV', 'a UInt8') VALUES (1)",
    "INSERT INTO FUNCTION url('http://127.0.0.1:1/', 'CSV', 'a UInt8') SELECT 1",
    "INSERT INTO t FROM INFILE '{f}' FORMAT CSV",
    "INSERT INTO t SELECT 1, file('{f}')",
    "CREATE TABLE x (a UInt8) ENGINE = File(CSV, '{f}')",
    "CREATE TABLE x (a UInt8) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
    "CREATE FUNCTION leak AS (p) -> file(p)",
    "CREATE VIEW x AS SELECT file('{f}')",
    "CREATE DICTIONARY d (id UInt64) PRIMARY KEY id SOURCE(FILE(path '{f}' format 'CSV')) LAYOUT(FLAT())",
    "BACKUP TABLE t TO File('{f}.bak')",
]
CHANGES = [
    "INSERT INTO t VALUES (1, 'a')",
    "INSERT INTO t SELECT 1, 'a'",
    "WITH 1 AS x INSERT INTO t SELECT x, 'a'",
    "CREATE TABLE x (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE x (a UInt8)",
    "DROP TABLE t",
    "ALTER TABLE t DELETE WHERE 1",
    "TRUNCATE TABLE t",
    "OPTIMIZE TABLE t",
    "KILL QUERY WHERE 1",
    "SYSTEM SHUTDOWN",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 1000",
    "SELECT 1; DROP TABLE t",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
]


@pytest.mark.parametrize("sql", READS + WRITES_OUTSIDE)
@pytest.mark.parametrize("user", ["default", "reader"])
def test_no_statement_reaches_files_or_the_network(raw: Raw, secret: Path, sql: str, user: str) -> None:
    status, _, body = Raw(raw.server, raw.database, user).ask(sql.replace("{f}", str(secret)))
    assert status >= 400, body
    assert SECRET.encode() not in body
    assert [file.name for file in secret.parent.iterdir()] == [secret.name]


@pytest.mark.parametrize("sql", CHANGES)
def test_the_reader_changes_nothing(raw: Raw, reading: Raw, sql: str) -> None:
    raw.text("INSERT INTO t VALUES (7, 'x')")
    assert reading.refusal(sql) in {*REFUSED, 62}
    assert raw.text("SELECT count() FROM t") == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("readonly", "0"),
        ("readonly", "2"),
        ("max_execution_time", "1000"),
        ("max_execution_time", "0"),
        ("max_memory_usage", "0"),
        ("max_result_rows", "99999999999"),
        ("allow_introspection_functions", "1"),
        ("format_template_row", "/etc/passwd"),
        ("format_schema", "/etc/passwd"),
        ("user_files_path", "/"),
        ("max_threads", "1; DROP TABLE t"),
    ],
)
def test_the_reader_cannot_lift_its_limits_with_settings(reading: Raw, name: str, value: str) -> None:
    assert reading.refusal("SELECT 1", **{name: value}) in REFUSED


def test_the_reader_reads_and_may_ask_for_less(raw: Raw, reading: Raw) -> None:
    raw.text("INSERT INTO t VALUES (7, 'x')")
    assert reading.text("SELECT b FROM t WHERE a = {a:UInt64}", param_a="7", max_execution_time="2", readonly="1") == "x"
    assert reading.text("SELECT metadata.file FROM (SELECT tuple('ok')::Tuple(file String) AS metadata)") == "ok"
    assert reading.text("SELECT count() FROM t WHERE b LIKE '%file(%'") == "0"


def test_a_query_without_end_is_ended(reading: Raw) -> None:
    assert reading.refusal("SELECT count() FROM numbers(1e15)", max_execution_time="1") == 159


def test_a_writer_that_renounces_writing_cannot_write(raw: Raw) -> None:
    for sql in ("INSERT INTO t VALUES (1, 'a')", "DROP TABLE t", "KILL QUERY WHERE 1", "SELECT file('/etc/passwd')"):
        assert raw.refusal(sql, readonly="1") in REFUSED
    assert raw.text("SELECT getSetting('readonly')", readonly="1", max_rows_to_read="100") == "1"


def test_settings_of_one_request_do_not_reach_the_next(raw: Raw) -> None:
    raw.text("SELECT 1", max_threads="3", max_block_size="7")
    assert raw.text("SELECT getSetting('max_block_size')") != "7"
    raw.text("CREATE TEMPORARY TABLE gone (a UInt8)")
    assert raw.refusal("SELECT * FROM gone") == 60


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic ZGVmYXVsdDp3cm9uZw=="},
        {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"},
        {"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": ""},
    ],
)
def test_wrong_credentials_are_refused(raw: Raw, headers: dict[str, str]) -> None:
    status, answer, body = raw.ask("SELECT 1", headers)
    assert (status, answer["x-clickhouse-exception-code"]) == (401, "516")
    assert b"AUTHENTICATION_FAILED" in body
