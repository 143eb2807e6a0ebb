"""Where a statement ends and its data begins."""

import pytest

from zero.embedded.clickhouse.statement import read_statement


@pytest.mark.parametrize(
    ("text", "sql", "data_format", "data"),
    [
        ("INSERT INTO t FORMAT Native\nDATA", "INSERT INTO t ", "Native", "DATA"),
        ("INSERT INTO t (a, b) SETTINGS x = 1 FORMAT TSV\r\n1\t2", "INSERT INTO t (a, b) SETTINGS x = 1 ", "TSV", "1\t2"),
        ("insert into t format JSONEachRow {}", "insert into t ", "JSONEachRow", "{}"),
        ("INSERT INTO t VALUES (1), (2)", "INSERT INTO t ", "Values", " (1), (2)"),
        ("INSERT INTO t /* FORMAT x */ FORMAT CSV\n", "INSERT INTO t /* FORMAT x */ ", "CSV", ""),
        ("-- FORMAT y\nINSERT INTO `FORMAT TSV` FORMAT CSV\n1", "-- FORMAT y\nINSERT INTO `FORMAT TSV` ", "CSV", "1"),
        ("INSERT INTO t FORMAT TSV /* a value */", "INSERT INTO t ", "TSV", "/* a value */"),
        ("INSERT INTO t", "INSERT INTO t", None, ""),
        ("INSERT INTO t FORMAT TSV\nit's 'not' SQL `at all", "INSERT INTO t ", "TSV", "it's 'not' SQL `at all"),
        ("INSERT INTO FUNCTION null('FORMAT x') FORMAT TSV\n1", "INSERT INTO FUNCTION null('FORMAT x') ", "TSV", "1"),
    ],
)
def test_an_insert_ends_where_its_data_begins(text: str, sql: str, data_format: str | None, data: str) -> None:
    found = read_statement(text)
    assert (found.sql, found.format, text[found.data_start :]) == (sql, data_format, data)
    assert found.takes_data


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t SELECT 1 FORMAT Null",
        "WITH 1 AS x INSERT INTO t SELECT x",
        "SELECT 'INSERT INTO t VALUES'",
        "INSERT INTO t (a) SELECT 'VALUES'",
    ],
)
def test_a_statement_with_a_query_takes_no_data(text: str) -> None:
    found = read_statement(text)
    assert not found.takes_data
    assert found.sql == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 1", "JSON"),
        ("SELECT 'FORMAT JSON'", None),
        ("SELECT format('{}', 1)", None),
        ("SELECT * FROM (SELECT 1 FORMAT JSON)", None),
        ("SELECT 1 -- FORMAT CSV\n FORMAT TSV", "TSV"),
        ("SELECT \u2018FORMAT CSV\u2019 FORMAT TSV", "TSV"),
    ],
)
def test_the_format_of_an_answer_is_the_one_at_its_end(text: str, expected: str | None) -> None:
    assert read_statement(text).format == expected


@pytest.mark.parametrize(
    "text", ["SELECT * FROM system.processes", "SHOW PROCESSLIST", "kill query where 1", "SELECT 1 FROM system.`processes`"]
)
def test_a_statement_that_looks_at_other_queries_is_known(text: str) -> None:
    assert read_statement(text).watches


def test_the_data_of_an_insert_never_makes_it_a_look_at_other_queries() -> None:
    assert not read_statement("INSERT INTO t FORMAT TSV\nKILL processes").watches
