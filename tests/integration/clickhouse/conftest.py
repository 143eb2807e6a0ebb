"""Raw HTTP against the embedded ClickHouse."""

import base64
import http.client
import itertools
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest

from tests.integration.clickhouse_server import ClickHouseServer
from zero.embedded.clickhouse.options import WRITER


@dataclass
class Raw:
    """Speaks HTTP as one user to one database, byte by byte where a test wants it."""

    server: ClickHouseServer
    database: str
    user: str = WRITER

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.server.url)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.server.passwords[self.user]}".encode()).decode()

    def target(self, **params: str) -> str:
        return "/?" + urlencode({"database": self.database, **params})

    def ask(self, body: str | bytes, headers: dict[str, str] | None = None, **params: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (lower case) and body."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request("POST", self.target(**params), data, {"Authorization": self.authorization, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def text(self, sql: str, **params: str) -> str:
        """Return the answer of a statement that succeeds."""
        status, _, body = self.ask(sql, **params)
        assert status == 200, body.decode()
        return body.decode().strip()

    def refusal(self, sql: str, **params: str) -> int:
        """Return the error code of a statement that fails."""
        status, headers, body = self.ask(sql, **params)
        assert status >= 400, (sql, body[:200])
        return int(headers["x-clickhouse-exception-code"])

    def head(self, sql: str, length: int) -> bytes:
        """Return the head of an insert whose body has ``length`` bytes."""
        lines = [
            f"POST {self.target(query=sql)} HTTP/1.1",
            f"Host: {self.address[0]}",
            f"Authorization: {self.authorization}",
            f"Content-Length: {length}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=60)


_numbers = itertools.count(1)


@pytest.fixture
def raw(clickhouse_server: ClickHouseServer) -> Iterator[Raw]:
    """The writer, in a database of its own with a small table ``t``."""
    raw = Raw(clickhouse_server, f"raw_{next(_numbers)}")
    above = Raw(clickhouse_server, "default")
    above.text(f"CREATE DATABASE {raw.database}")
    raw.text("CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    yield raw
    above.text(f"DROP DATABASE {raw.database} SYNC")


@pytest.fixture
def reading(raw: Raw) -> Raw:
    """The reader, in the same database."""
    return Raw(raw.server, raw.database, "reader")


@pytest.fixture
def hooks(raw: Raw) -> Iterator["Hooks"]:
    """Arms the server's faults and disarms them."""
    hooks = Hooks(raw)
    yield hooks
    hooks.send("DELETE", b"")


class Hooks:
    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    def arm(self, **wish: str | int | float) -> None:
        assert self.send("POST", json.dumps(wish).encode()) == 200

    def send(self, method: str, body: bytes) -> int:
        connection = http.client.HTTPConnection(*self._raw.address, timeout=60)
        connection.request(method, "/_hooks", body)
        status = connection.getresponse().status
        connection.close()
        return status
