"""The HTTP interface as curl, Grafana and clickhouse-connect use it."""

import gzip
import http.client
import json
import sys
import time
import zlib
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pytest

from tests.integration.clickhouse.conftest import Raw
from tests.integration.clickhouse_server import ClickHouseServer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODERS = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}
DECODERS = {
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
    "lz4": lz4.frame.decompress,
}


def get(raw: Raw, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*raw.address, timeout=60)
    connection.request("GET", target, headers=headers or {})
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, body


@pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
def test_the_server_says_that_it_lives_without_a_password(raw: Raw, path: str) -> None:
    assert get(raw, path) == (200, b"Ok.\n")


def test_an_unknown_path_is_404(raw: Raw) -> None:
    assert get(raw, "/nothing")[0] == 404


def test_a_query_in_the_url_with_a_password_in_the_url(raw: Raw) -> None:
    fields = {"query": "SELECT 1 + 1", "user": "default", "password": raw.server.passwords["default"]}
    assert get(raw, "/?" + urlencode(fields)) == (200, b"2\n")


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM nothing", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT nothing", 404, 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT {x:String}", 400, 456, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("INSERT INTO t VALUES ('x', 1)", 400, None, ""),
        ("", 400, 62, "SYNTAX_ERROR"),
    ],
)
def test_an_error_has_the_status_the_code_and_the_text_of_clickhouse(
    raw: Raw, sql: str, status: int, code: int | None, name: str
) -> None:
    found, headers, body = raw.ask(sql, query="" if sql else " ")
    assert found == status, body
    assert body.decode().startswith(f"Code: {headers['x-clickhouse-exception-code']}. DB::Exception: ")
    assert code is None or headers["x-clickhouse-exception-code"] == str(code)
    assert name in body.decode()


def test_parameters_are_values_and_never_sql(raw: Raw) -> None:
    for value in ("it's", "a\\b", "tab\there", "line\nline", "') OR 1=1 --", "é\u20ac", ""):
        escaped = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        _, _, body = raw.ask("SELECT {v:String} FORMAT JSONEachRow", param_v=escaped)
        assert list(json.loads(body).values()) == [value]


def test_an_answer_names_query_format_and_what_it_cost(raw: Raw) -> None:
    _, headers, _ = raw.ask("SELECT number FROM numbers(10) FORMAT JSON", query_id="mine-1")
    assert headers["x-clickhouse-query-id"] == "mine-1"
    assert headers["x-clickhouse-format"] == "JSON"
    assert headers["content-type"].startswith("application/json")
    assert json.loads(headers["x-clickhouse-summary"])["read_rows"] == "10"
    _, headers, _ = raw.ask("1\ta\n", query="INSERT INTO t FORMAT TSV")
    assert json.loads(headers["x-clickhouse-summary"])["written_rows"] == "1"


@pytest.mark.parametrize("encoding", ENCODERS)
def test_an_encoded_body_is_read_and_a_cut_one_stores_nothing(raw: Raw, encoding: str) -> None:
    body = b"".join(b"%d\tvalue %d\n" % (number, number) for number in range(50_000))
    packed = ENCODERS[encoding](body)
    status, _, _ = raw.ask(packed[:-20], {"Content-Encoding": encoding}, query="INSERT INTO t FORMAT TSV")
    assert (status, raw.text("SELECT count() FROM t")) == (500, "0")
    status, _, _ = raw.ask(packed, {"Content-Encoding": encoding}, query="INSERT INTO t FORMAT TSV")
    assert (status, raw.text("SELECT count() FROM t")) == (200, "50000")
    status, _, _ = raw.ask(ENCODERS[encoding](b"INSERT INTO t FORMAT TSV\n1\tx\n"), {"Content-Encoding": encoding})
    assert (status, raw.text("SELECT count() FROM t")) == (200, "50001")


@pytest.mark.parametrize("encoding", DECODERS)
def test_an_answer_is_encoded_when_asked_for(raw: Raw, encoding: str) -> None:
    sql = "SELECT number FROM numbers(300000)"
    plain = raw.ask(sql)[2]
    _, headers, body = raw.ask(sql, {"Accept-Encoding": encoding}, enable_http_compression="1")
    assert headers["content-encoding"] == encoding
    assert DECODERS[encoding](body) == plain
    assert "content-encoding" not in raw.ask(sql, {"Accept-Encoding": encoding})[1]


def test_an_unknown_encoding_is_refused(raw: Raw) -> None:
    assert raw.ask(b"x", {"Content-Encoding": "br"}, query="INSERT INTO t FORMAT TSV")[0] == 501


def test_a_large_answer_is_streamed_and_whole(raw: Raw) -> None:
    body = raw.ask("SELECT number FROM numbers(2000000)")[2]
    assert body.count(b"\n") == 2_000_000
    assert body.endswith(b"1999999\n")


def test_an_error_in_the_middle_of_an_answer_is_told_behind_it(raw: Raw) -> None:
    status, headers, body = raw.ask("SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000")
    assert status == 200
    tag = headers["x-clickhouse-exception-tag"].encode()
    assert b"__exception__\r\n" + tag in body
    assert b"Code: 395." in body


def test_insert_data_may_stand_in_the_url_behind_the_statement(raw: Raw) -> None:
    raw.text("", query="INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    raw.text("(3, 'c')", query="INSERT INTO t VALUES")
    raw.text("INSERT INTO t FORMAT JSONEachRow\n" + '{"a": 4, "b": "d FORMAT x"}')
    raw.text("INSERT INTO t SELECT 5, 'e'")
    assert raw.text("SELECT groupConcat(b) FROM (SELECT b FROM t ORDER BY a)") == "abcd FORMAT xe"


def test_a_query_is_killed_by_the_id_its_client_gave_it(raw: Raw) -> None:
    connection = http.client.HTTPConnection(*raw.address, timeout=60)
    headers = {"Authorization": raw.authorization}
    connection.request("POST", raw.target(query_id="slow-1"), b"SELECT count() FROM numbers(1e15)", headers)
    deadline = time.monotonic() + 60
    while (
        raw.text("SELECT count() FROM system.processes WHERE query LIKE '%numbers(1e15)%' AND query NOT LIKE '%LIKE%'") == "0"
    ):
        assert time.monotonic() < deadline
    raw.text("KILL QUERY WHERE query_id = 'slow-1' SYNC")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("x-clickhouse-exception-code")) == (500, "394")
    connection.close()


def test_a_reading_query_ends_when_its_client_leaves(raw: Raw) -> None:
    running = "SELECT count() FROM system.processes WHERE query LIKE '%numbers(1e16)%' AND query NOT LIKE '%LIKE%'"
    with raw.connect() as client:
        client.sendall(raw.head("SELECT count() FROM numbers(1e16)", 0))
        deadline = time.monotonic() + 60
        while raw.text(running) == "0":
            assert time.monotonic() < deadline
    while raw.text(running) != "0":
        assert time.monotonic() < deadline


def test_clickhouse_connect_works_as_with_a_server(raw: Raw) -> None:
    options = raw.server.options(raw.database)
    client = clickhouse_connect.get_client(
        host=options.host,
        port=options.port,
        password=options.password,
        database=raw.database,
        compress="lz4",
        dedicated_pool=True,
    )
    client.insert("t", [[1, "a"], [2, "b"]], column_names=["a", "b"])
    assert client.query("SELECT a, b FROM t WHERE b != {x:String} ORDER BY a", {"x": "z"}).result_rows == [(1, "a"), (2, "b")]
    assert client.query_df("SELECT count() AS n FROM t").n[0] == 2
    assert client.command("SELECT count() FROM t", settings={"max_threads": 1}) == 2
    client.close()


def test_a_running_insert_ends_before_the_server_stops_and_a_second_server_is_refused(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path).start()
    raw = Raw(server, "default")
    raw.text("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(AssertionError, match="did not start"):
        ClickHouseServer(tmp_path).start()
    body = b"1\tx\n" * 100_000
    with raw.connect() as client:
        client.sendall(raw.head("INSERT INTO t FORMAT TSV", len(body)) + body[:-4])
        assert raw.text("SELECT count() FROM system.processes WHERE query_kind = 'Insert'") == "1"
        server.process.terminate()
        time.sleep(0.3)
        client.sendall(body[-4:])
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert server.close() == 0
    server.start()
    assert raw.text("SELECT count() FROM t") == "100000"
    assert server.close() == 0
