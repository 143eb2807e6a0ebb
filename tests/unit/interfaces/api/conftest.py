"""The api over a store and a buffer in memory."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from zero.application.dead_letters import DeadLetterParts, DeadLetters
from zero.application.fields import FieldSearch
from zero.application.key_ring import KeyRing
from zero.application.keys import Keys
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.search import MeaningSearch
from zero.application.overview import Overview
from zero.application.patterns.anomalies import Anomalies
from zero.application.patterns.listing import PatternSearch
from zero.application.search import Search
from zero.application.tail import Tail
from zero.application.timeline import TimelineSearch
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry
from zero.domain.stored import StoredEntry
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.memory.meaning import MemoryMeaningReader, SpellingEmbedder
from zero.infrastructure.memory.patterns import MemoryPatternReader
from zero.infrastructure.memory.query_evaluator import message_id
from zero.infrastructure.memory.reader import MemoryReader
from zero.infrastructure.native.codec import NativeCodec
from zero.interfaces.api.app import create_app
from zero.interfaces.api.services import ApiServices

NOW_S = 1_795_341_600
CODEC = NativeCodec()


class Api:
    """The parts of an api, and a client that speaks to it without a socket."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.reader, self.clock = MemoryReader(), clock or ManualClock(NOW_S * 10**9)
        self.buffer = MemoryBuffer(clock=self.clock)
        telemetry, self.key_store = MemoryTelemetry(), MemoryKeyStore()
        self.key_admin = Keys(self.key_store, self.clock, telemetry)
        self.keys = KeyRing(self.key_store, self.clock, telemetry)
        search = Search(LuceneParser(), self.reader, self.clock)
        patterns, self.ranker = MemoryPatternReader(self.reader), MemoryMeaningReader(self.reader)
        self.embedder, self.telemetry = SpellingEmbedder(), telemetry
        embedders = Embedders(SpellingEmbedder.name, {SpellingEmbedder.name: lambda: self.embedder})
        self.services = ApiServices(
            search,
            TimelineSearch(search, self.reader, self.clock),
            Tail(search, self.reader, self.clock),
            Overview(self.buffer, self.reader, self.clock),
            lambda: b"zero_up 1\n",
            self.keys,
            self.key_admin,
            PatternSearch(search, patterns, self.clock),
            Anomalies(search, patterns, self.clock),
            FieldSearch(search, self.reader),
            MeaningSearch(search, self.ranker, self.reader, embedders, self.clock, telemetry),
            DeadLetters(DeadLetterParts(self.buffer, self.key_store, CODEC.crc32c, read_log_batch, self.clock, telemetry)),
            telemetry,
        )
        self.app: FastAPI = create_app(self.services)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8080")

    def store(self, message: str, seconds: float = 0, index: int = 0, **fields: object) -> StoredEntry:
        entry = LogEntry(message, NOW_S * 10**9 + int(seconds * 10**9), **fields)  # type: ignore[arg-type]
        stored = StoredEntry(batch_id(int((NOW_S + seconds) * 1000), 1, 0), index, entry, message_id(message))
        self.reader.stored.append(("default", stored))
        return stored

    async def messages(self, path: str) -> list[str]:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return [log["message"] for log in answer.json()["logs"]]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    await api.keys.refresh()
    async with api.client:
        yield api
