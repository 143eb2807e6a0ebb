"""The role that answers questions."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from zero.bootstrap.meaning import maintained_meaning
from zero.bootstrap.parts import (
    Ready,
    announce,
    bound,
    key_admin,
    key_ring,
    redis_options,
    server_tls,
    tracing,
)
from zero.bootstrap.stores import store_kind
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.dead_letters import DeadLetters
    from zero.application.ports import DeadLetterStore, Telemetry


async def run_api(settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Answer queries until ``stop`` is set."""
    from zero.application.background import end
    from zero.application.fields import FieldSearch
    from zero.application.ledger_gauge import watch_ledger
    from zero.application.meaning.search import MeaningSearch
    from zero.application.overview import Overview
    from zero.application.patterns.anomalies import Anomalies
    from zero.application.patterns.listing import PatternSearch
    from zero.application.search import Search
    from zero.application.tail import Tail
    from zero.application.timeline import TimelineSearch
    from zero.infrastructure.lucene.parser import LuceneParser
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.api.options import ApiOptions
    from zero.interfaces.api.server import serve
    from zero.interfaces.api.services import ApiServices

    telemetry, metrics = process_telemetry()
    clock, buffer = SystemClock(), RedisBuffer(redis_options(settings))
    readers = store_kind(settings).readers()
    reader = readers.logs
    search, overview = Search(LuceneParser(), reader, clock), Overview(buffer, reader, clock, settings.retention)
    with bound("api", settings):
        family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
        sock = socket.create_server((settings.api.host, settings.api.port), family=family)

    works = (announce(ready, overview.is_ready), watch_ledger(buffer, clock, telemetry))
    beside = [asyncio.create_task(work) for work in works]
    options = ApiOptions(host=settings.api.host, stop_seconds_max=float(settings.stop_seconds_max))
    try:
        async with AsyncExitStack() as stack:
            tls = await stack.enter_async_context(server_tls(settings, telemetry))
            tracer = await stack.enter_async_context(tracing("api", settings, telemetry))
            keys = await stack.enter_async_context(key_ring(settings, settings.api, 1, telemetry))
            admin = await stack.enter_async_context(key_admin(settings, telemetry))
            letters = await stack.enter_async_context(dead_letters(settings, buffer, telemetry))
            puts = await stack.enter_async_context(maintained_catalogue(settings, telemetry))
            chosen = await stack.enter_async_context(maintained_meaning(settings, telemetry, puts))
            meaning = MeaningSearch(search, readers.meaning, reader, chosen, clock, telemetry)
            services = ApiServices(
                search=search,
                timeline=TimelineSearch(search, reader, clock),
                tail=Tail(search, reader, clock),
                overview=overview,
                metrics=metrics.text,
                keys=keys,
                key_admin=admin,
                patterns=PatternSearch(search, readers.patterns, clock),
                anomalies=Anomalies(search, readers.patterns, clock, meaning.about),
                fields=FieldSearch(search, readers.fields),
                meaning=meaning,
                dead_letters=letters,
                telemetry=telemetry,
                tracer=tracer,
            )
            await serve(services, options, [sock], stop, tls.context("http/1.1") if tls else None)
    finally:
        await end(*beside)
        await reader.close()
        await buffer.close()


@asynccontextmanager
async def dead_letters(settings: Settings, store: "DeadLetterStore", telemetry: "Telemetry") -> "AsyncIterator[DeadLetters]":
    """Give the dead letters of the buffer."""
    from zero.application.dead_letters import DeadLetterParts, DeadLetters
    from zero.infrastructure.codec.log_batch import read_log_batch
    from zero.infrastructure.native.codec import NativeCodec
    from zero.infrastructure.redis.key_store import RedisKeyStore
    from zero.infrastructure.system.clock import SystemClock

    journal = RedisKeyStore(redis_options(settings))
    try:
        yield DeadLetters(DeadLetterParts(store, journal, NativeCodec().crc32c, read_log_batch, SystemClock(), telemetry))
    finally:
        await journal.close()


@asynccontextmanager
async def maintained_catalogue(settings: Settings, telemetry: "Telemetry") -> AsyncIterator[Callable[[], int]]:
    """Keep the catalogue of patterns up to date as long as the block runs; gives how often something was put into it.

    An api that has only a reader's rights leaves it to others.
    """
    if not settings.store:
        yield lambda: 0
        return
    from zero.application.background import end
    from zero.application.patterns.catalogue import Catalogue
    from zero.infrastructure.native.codec import NativeCodec
    from zero.infrastructure.system.clock import SystemClock

    store = store_kind(settings).pattern_store()
    catalogue = Catalogue(store, NativeCodec().mask, SystemClock(), telemetry)
    keeping = asyncio.create_task(catalogue.run())
    try:
        yield lambda: catalogue.puts
    finally:
        await end(keeping)
        await store.close()
