"""What docs/architecture.md says of adding a door, a store, an embedder: tried with the examples, of fifty lines each or so."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples.door import LineDoor
from examples.embedder import TrigramEmbedder
from examples.store import SqliteCodec, SqliteStore
from tests.contract.store_contract import MakeFrame, StoreContract, contract_frame
from tests.integration.search.catalogue import catalogued
from tests.integration.search.conftest import LogStore, Reader
from tests.integration.search.test_meaning import entries, searching
from zero.application.drain import DrainOptions, DrainParts, DrainService, DrainServiceOptions, ShardDrain, ShardShare
from zero.application.ingest import Ingest
from zero.application.key_ring import KeyRing
from zero.application.keys import KeyRequest, Keys
from zero.application.ports import Block, Mode
from zero.application.search import SearchRequest
from zero.domain.key import KeyScope
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.memory import MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock

ROOT = Path(__file__).parents[3]
NATIVE = NativeCodec()
LINES_MAX = 65


@pytest.mark.parametrize("name", ["door", "store", "embedder"])
def test_an_example_is_short_and_the_architecture_names_it_and_what_else_changes(name: str) -> None:
    lines = (ROOT / "examples" / f"{name}.py").read_text().splitlines()
    code = [line for line in lines if line.strip()]
    assert len(code) <= 50, f"{len(code)} lines that are not empty"
    assert len(lines) <= LINES_MAX
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    (row,) = [line for line in architecture.splitlines() if line.startswith(f"| {name} ")]
    places = re.findall(r"`((?:src|examples|tests)/[^`]*)`", row)
    assert f"examples/{name}.py" in places
    assert len(places) >= 4
    assert [place for place in places if not (ROOT / place).exists()] == []


class TestSqliteStore(StoreContract):
    """The store of the example keeps the contract of every store."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteStore:
        return SqliteStore(str(tmp_path / "logs"))

    @pytest.fixture
    def codec(self) -> SqliteCodec:
        return SqliteCodec(NATIVE.crc32c, read_log_batch)

    @pytest.fixture
    def make_frame(self, codec: SqliteCodec) -> MakeFrame:
        return lambda batch_id, messages: contract_frame(codec, batch_id, messages)

    @pytest.fixture
    def rejected_block(self) -> Block:
        return Block(b'[["7", 0, null]]', 1)


class Line:
    """A client of the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, text: str, answers: int = 1) -> list[str]:
        self._writer.write(f"{text}\n".encode())
        return [(await self._reader.readline()).decode().strip() for _ in range(answers)]

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def keys() -> AsyncIterator[tuple[KeyRing, str]]:
    """A ring of keys, and one of them."""
    clock, telemetry, store = SystemClock(), MemoryTelemetry(), MemoryKeyStore()
    made = await Keys(store, clock, telemetry).create(KeyRequest("acme", frozenset({KeyScope.INGEST})), "test")
    ring = KeyRing(store, clock, telemetry)
    await ring.refresh()
    yield ring, made.text
    await ring.close()


async def test_lines_go_through_the_door_of_the_example_into_the_store_of_the_example(
    keys: tuple[KeyRing, str], tmp_path: Path
) -> None:
    clock, telemetry, store = SystemClock(), MemoryTelemetry(), SqliteStore(str(tmp_path / "logs"))
    buffer = MemoryBuffer(clock)
    ingest = Ingest(NATIVE, buffer, clock, telemetry)
    parts = DrainParts(buffer, store, SqliteCodec(NATIVE.crc32c, read_log_batch), clock, random.Random(1), telemetry)
    options = DrainOptions(linger_seconds=0.01, idle_seconds=0.02)
    drains = DrainService(
        lambda shard: ShardDrain(shard, "drain", parts, options), buffer, ShardShare(), 1, DrainServiceOptions(0.01, 5.0)
    )
    async with ingest.running(5), LineDoor(ingest, NATIVE, keys[0]).listening("127.0.0.1", 0) as address:
        stranger = Line(*await asyncio.open_connection(*address))
        assert await stranger.say("no key of ours") != ["ok"]
        client = Line(*await asyncio.open_connection(*address))
        assert await client.say(f"{keys[1]}\nfirst\nsecond Жук", 2) == ["ok", "ok"]
        stranger.close()
        client.close()
    stop = asyncio.Event()
    running = asyncio.create_task(drains.run(stop))
    async with asyncio.timeout(30):
        while (await buffer.level()).frames:  # noqa: ASYNC110 - a task of its own drains
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert [row[0] for row in store._file.execute("SELECT message FROM logs ORDER BY bid, idx")] == ["first", "second Жук"]
    (ledger,) = (await buffer.ledger()).items()
    assert (ledger[0], ledger[1].accepted, ledger[1].stored, ledger[1].in_buffer) == ("acme", 2, 2, 0)


async def test_the_embedder_of_the_example_answers_questions(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries())
    embedder = TrigramEmbedder()
    await catalogued(log_store, embedder)
    search = searching(log_store, reader, embedder)
    best, *_ = await search.patterns(SearchRequest("default", "core temperatures"), Mode.SEMANTIC, 5)
    assert "Core temperature above threshold" in best.texts.example
    assert await log_store.meaning_reader(reader).embedded("default") == {embedder.name: len(entries())}
