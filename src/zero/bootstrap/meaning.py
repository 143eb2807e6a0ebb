"""Search by meaning: which embedders there are, and what keeps the vectors."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from zero.bootstrap.parts import redis_options
from zero.bootstrap.stores import store_kind
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.meaning.embedders import Embedders, Maker
    from zero.application.ports import Telemetry


def embedders(settings: Settings) -> "Embedders":
    """Return those that can be had; what they need is loaded when they are first used. Raises ConfigurationError."""
    from zero.application.meaning.embedders import Embedders
    from zero.infrastructure.embedding.bundled import BundledEmbedder
    from zero.infrastructure.embedding.minilm import MiniLmEmbedder, minilm_is_installed
    from zero.infrastructure.embedding.openai import OpenAiEmbedder, OpenAiOptions

    makers: dict[str, Maker] = {BundledEmbedder.name: BundledEmbedder}
    current = BundledEmbedder.name
    if minilm_is_installed() or settings.embedder == "minilm":
        makers[MiniLmEmbedder.name] = MiniLmEmbedder
    if settings.embedder == "minilm":
        current = MiniLmEmbedder().name
    if settings.embedder == "openai" or settings.openai_key:
        options = OpenAiOptions(
            settings.openai_url,
            settings.openai_model,
            settings.openai_key,
            settings.openai_dimensions,
            texts_per_hour_max=settings.openai_texts_per_hour_max,
        )
        remote = OpenAiEmbedder(options)
        makers[remote.name] = lambda: remote
        current = remote.name if settings.embedder == "openai" else current
    return Embedders(current, makers)


@asynccontextmanager
async def maintained_meaning(settings: Settings, telemetry: "Telemetry", puts: Callable[[], int]) -> AsyncIterator["Embedders"]:
    """Give the embedders, and keep the words and vectors of patterns up to date as long as the block runs.

    Of all api processes one does so at a time. ``puts`` says how often patterns were put into the catalogue.
    """
    from zero.application.background import end
    from zero.application.meaning.upkeep import MeaningUpkeep, Surroundings
    from zero.infrastructure.redis.duty import RedisDuty
    from zero.infrastructure.system.clock import SystemClock

    chosen = embedders(settings)
    if not settings.store:
        yield chosen
        return
    store, duty = store_kind(settings).meaning_store(), RedisDuty(redis_options(settings), "meaning")
    keeping = asyncio.create_task(MeaningUpkeep(store, chosen, SystemClock(), telemetry, around=Surroundings(puts, duty)).run())
    try:
        yield chosen
    finally:
        await end(keeping)
        await duty.close()
        await store.close()
