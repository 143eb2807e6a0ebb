"""A real store with entries in it, and readers of it."""

import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from zero.domain.batch_id import batch_id_ms
from zero.domain.frame import pack_frame, unpack_frame
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.connection import connect, connect_writer
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()


class LogStore:
    """A ClickHouse server of the tests' own."""

    def __init__(self, path: Path) -> None:
        argv = [sys.executable, "-m", "zero.embedded.clickhouse", "--path", str(path), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen([*argv, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1]
        self._passwords = dict(line.split(":", 1) for line in (path / "passwords").read_text().splitlines())
        migrate(self.options("default"))
        self.writer = connect_writer(self.options("default"))

    def options(self, user: str) -> ClickHouseOptions:
        return ClickHouseOptions(self.url, user=user, password=self._passwords[user], retention_days=36_500)

    def connect(self, user: str = "reader") -> Client:
        return connect(self.options(user))

    def store(self, entries: Iterable[StoredEntry], tenant: str = "default") -> None:
        """Store entries as the drain would; those of one batch stand together, their indexes count from 0."""
        frames = []
        for identity, group in itertools.groupby(entries, key=lambda stored: stored.batch_id):
            batch = list(group)
            assert [stored.index for stored in batch] == list(range(len(batch)))
            payload = write_log_batch(stored.entry for stored in batch)
            data = pack_frame(identity, batch_id_ms(identity), len(batch), tenant, [payload], CODEC.crc32c)
            frames.append(unpack_frame(data, CODEC.crc32c))
        self.writer.command("INSERT INTO logs FORMAT Native", data=CODEC.encode_block(frames).data)

    def close(self) -> None:
        self.writer.close()
        self.process.terminate()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="session")
def log_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogStore]:
    """The server for the whole run."""
    server = LogStore(tmp_path_factory.mktemp("clickhouse"))
    yield server
    server.close()


@pytest.fixture
def log_store(log_server: LogStore) -> LogStore:
    """The server with an empty table."""
    log_server.writer.command("TRUNCATE TABLE logs")
    return log_server


@pytest.fixture
async def reader(log_server: LogStore) -> AsyncIterator[ClickHouseReader]:
    """A reader with the rights of the api."""
    reader = ClickHouseReader(log_server.connect)
    yield reader
    await reader.close()
