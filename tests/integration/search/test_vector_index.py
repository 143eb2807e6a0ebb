"""The vector index of ClickHouse: made where there are many vectors, used by searches, gone when others come."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.search.catalogue import catalogued, embedded
from tests.integration.search.conftest import ClickHouseLogs, LogStore, Reader
from tests.integration.search.test_meaning import entries
from tests.patience import soon
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.search import MeaningSearch
from zero.application.ports import Mode
from zero.application.search import Search, SearchRequest
from zero.infrastructure.clickhouse.meaning_reader import ClickHouseMeaningReader, MeaningReaderOptions
from zero.infrastructure.clickhouse.meaning_store import ClickHouseMeaningStore
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.memory.meaning import SpellingEmbedder
from zero.infrastructure.system.clock import SystemClock

KIND = "SELECT type_full FROM system.data_skipping_indices WHERE table = 'pattern_vectors' AND database = currentDatabase()"
WAITING = "SELECT count() FROM system.mutations WHERE NOT is_done AND database = currentDatabase()"
NEAREST = """
EXPLAIN indexes = 1 SELECT pattern_id FROM pattern_vectors WHERE tenant = 'default' AND embedder = {embedder:String}
ORDER BY cosineDistance(vector, {vector:Array(Float32)}) LIMIT 10"""


@pytest.fixture
async def logs(log_store: LogStore) -> AsyncIterator[ClickHouseLogs]:
    if not isinstance(log_store, ClickHouseLogs):
        pytest.skip("this store compares all vectors")
    log_store.store(entries())
    await catalogued(log_store, SpellingEmbedder())
    await embedded(log_store, BundledEmbedder())  # the others, of another length, are forgotten
    yield log_store
    log_store.writer.command("ALTER TABLE pattern_vectors DROP INDEX IF EXISTS near SETTINGS mutations_sync = 2")


async def kind_of_index(logs: ClickHouseLogs) -> str:
    """Have the index made if it is due, and say how it was made."""
    store = ClickHouseMeaningStore(logs.options("default"), indexed_min=50)
    await store.index_vectors()
    await store.index_vectors()
    soon(lambda: not int(str(logs.writer.command(WAITING))), "the index is never made")
    await store.close()
    return logs.writer.raw_query(KIND, fmt="TSVRaw").decode()


async def test_many_vectors_get_an_index_that_searches_use_until_those_of_another_length_come(
    logs: ClickHouseLogs, reader: Reader
) -> None:
    assert "256" in await kind_of_index(logs)
    embedder, clock = BundledEmbedder(), SystemClock()
    vector = list(await embedder.embed_question("disk is full"))
    plan = logs.writer.raw_query(NEAREST, {"embedder": embedder.name, "vector": vector}, fmt="TSVRaw").decode()
    assert "vector_similarity" in plan

    assert isinstance(reader, ClickHouseReader)
    embedders = Embedders(embedder.name, {embedder.name: lambda: embedder})

    async def best(mode: Mode, compared_max: int) -> list[int]:
        ranking = ClickHouseMeaningReader(reader, MeaningReaderOptions(compared_max, nearest=40))
        search = MeaningSearch(Search(LuceneParser(), reader, clock), ranking, reader, embedders, clock, MemoryTelemetry())
        return [hit.ranked.pattern_id for hit in await search.patterns(SearchRequest("default", "disk is full"), mode, 10)]

    for mode in Mode:
        everything, candidates = await best(mode, 1000), await best(mode, 10)
        assert candidates[0] in everything[:3]  # the index rounds
        assert len(set(candidates) & set(everything)) >= 0.7 * len(everything)

    await embedded(logs, SpellingEmbedder())
    assert logs.writer.raw_query(KIND, fmt="TSVRaw").decode() == ""
    assert logs.count("pattern_vectors") == logs.count("patterns")
