"""A store whose patterns are in the catalogue, with their words and vectors."""

from tests.integration.search.conftest import CODEC, LogStore
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.upkeep import MeaningUpkeep
from zero.application.patterns.catalogue import Catalogue
from zero.application.ports import Embedder
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.system.clock import SystemClock

TABLES = ("patterns", "pattern_words", "pattern_vectors")


async def catalogued(log_store: LogStore, embedder: Embedder | None = None) -> None:
    """Do at once what happens in the background, for what is stored now and nothing else."""
    log_store.empty(*TABLES)
    patterns = log_store.pattern_store()
    await Catalogue(patterns, CODEC.mask, SystemClock(), MemoryTelemetry()).look()
    await patterns.close()
    await embedded(log_store, embedder or BundledEmbedder())


async def embedded(log_store: LogStore, embedder: Embedder) -> None:
    """Embed what is in the catalogue."""
    store = log_store.meaning_store()
    upkeep = MeaningUpkeep(store, Embedders(embedder.name, {embedder.name: lambda: embedder}), SystemClock(), MemoryTelemetry())
    while await upkeep.step():
        pass
    await store.close()
