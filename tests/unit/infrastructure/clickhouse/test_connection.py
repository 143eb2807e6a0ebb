"""How long a client waits for a server that is silent."""

import socket
import time

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from zero.infrastructure.clickhouse.connection import connect
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.reader import ReaderOptions


def test_a_reader_gives_a_silent_server_up_long_before_an_insert_would() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ClickHouseError):
            connect(ClickHouseOptions(url, query_timeout_seconds=1, insert_timeout_seconds=60))
        assert time.monotonic() - began < 30


def test_a_query_may_take_as_long_as_it_is_allowed_to() -> None:
    assert ClickHouseOptions("http://h").query_timeout_seconds > ReaderOptions().query_seconds_max
