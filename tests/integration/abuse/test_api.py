"""The api under attack: what uvicorn does not bound itself, and questions that are meant to be dear."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.abuse.test_connections import crowd
from tests.integration.abuse.victim import Victim
from tests.integration.servers import Server
from tests.patience import READY_SECONDS_MAX, soon
from tests.ports import free_port
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions

pytestmark = [pytest.mark.alone, pytest.mark.timed]
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/logs/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def asked(port: int, path: str, body: bytes | None = None) -> int:
    """Return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS_MAX)
    try:
        connection.request("POST" if body is not None else "GET", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def api(valkey: Server, clickhouse_server: object) -> Iterator[Victim]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux to measure peak memory")
    options: ClickHouseOptions = clickhouse_server.options("abused")  # type: ignore[attr-defined]
    migrate(options)
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
    environment = kept | {
        "ZERO_BUFFER_URL": valkey.url,
        "ZERO_CLICKHOUSE_URL": options.url,
        "ZERO_API": f"127.0.0.1:{port}",
        "ZERO_LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "zero", "api"], env=environment)

    def answers() -> bool:
        with suppress(OSError):
            return asked(port, "/health") == 200
        return False

    soon(answers)
    yield Victim(process.pid, "get", port)
    process.terminate()
    assert process.wait(READY_SECONDS_MAX) == 0


CROWDS = {
    "silent": (900, b"", b""),
    "slow heads": (300, HEAD, b"X-Slow"),
    "heads almost as large as they may be": (300, HEAD + b"X: " + b"a" * 30_000, b"aaaa"),
    "heads without end": (20, HEAD + b"X: " + b"a" * 4_000_000, b"aaaa"),
    "slow bodies": (300, POST + b"Content-Length: 60000\r\n\r\n" + b" " * 20_000, b"    "),
    "requests sent ahead": (20, b"GET /api/docs HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2_000, b""),
    "readers that do not read": (100, b"GET /api/docs HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10, b""),
}


@pytest.mark.parametrize("name", CROWDS)
def test_connections_to_the_api_that_bring_little_are_not_waited_for(api: Victim, name: str) -> None:
    api.bears(crowd(api.port, *CROWDS[name]))


@pytest.mark.parametrize("size", [64 << 10, 16 << 20, 1 << 40])
def test_a_body_for_the_api_beyond_64_kib_is_refused_before_it_comes(api: Victim, size: int) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=READY_SECONDS_MAX) as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % (size + 1))
        assert sock.recv(100).startswith(b"HTTP/1.1 413")


DEEP = {
    "arrays": b"[" * 30_000 + b"]" * 30_000,
    "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "not closed": b"[" * 60_000,
    "a number of 60,000 digits": b"1" * 60_000,
    "60,000 bytes of no Unicode": b'{"query":"' + b"\xff" * 60_000 + b'"}',
    "half of a pair": b'{"query":"\\ud800"}',
}


@pytest.mark.parametrize("name", DEEP)
def test_hostile_json_is_the_senders_fault(api: Victim, name: str) -> None:
    assert 400 <= asked(api.port, "/api/logs/search", DEEP[name]) < 500


QUERIES = [
    "(" * 4_000,
    "NOT " * 1_000 + "a",
    "a*" * 2_000,
    '"' + "\u0301" * 2_000 + '"',
    "k:/(a+)+$/",
    "\u202e" * 1_000,
    "\0",
    "\ufffe",
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_hostile_query_is_answered_and_harms_nobody(api: Victim, query: str) -> None:
    statuses = []
    api.bears(lambda: statuses.append(asked(api.port, f"/api/logs?q={quote(query)}")))
    assert set(statuses) <= {200, 400, 422}
