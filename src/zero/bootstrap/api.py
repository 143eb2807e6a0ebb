"""The role that answers questions."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
from zero.bootstrap.stores import Readers, store_kind
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.dead_letters import DeadLetters
    from zero.application.overview import Overview
    from zero.application.ports import DeadLetterStore, Telemetry
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.interfaces.api.services import ApiServices


async def run_api(settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Answer queries until ``stop`` is set."""
    from zero.application.background import end
    from zero.application.ledger_gauge import watch_ledger
    from zero.application.overview import Overview
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.api.options import ApiOptions
    from zero.interfaces.api.server import serve

    telemetry, _ = process_telemetry()
    clock, buffer = SystemClock(), RedisBuffer(redis_options(settings))
    readers = store_kind(settings).readers()
    overview = Overview(buffer, readers.logs, clock, settings.retention)
    with bound("api", settings):
        family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
        sock = socket.create_server((settings.api.host, settings.api.port), family=family)

    works = (announce(ready, overview.is_ready), watch_ledger(buffer, clock, telemetry))
    beside = [asyncio.create_task(work) for work in works]
    options = ApiOptions(host=settings.api.host, stop_seconds_max=float(settings.stop_seconds_max))
    try:
        async with server_tls(settings, telemetry) as tls, _services(settings, buffer, readers, overview) as services:
            await serve(services, options, [sock], stop, tls.context("http/1.1") if tls else None)
    finally:
        await end(*beside)
        await readers.logs.close()
        await buffer.close()


@asynccontextmanager
async def _services(
    settings: Settings, buffer: "RedisBuffer", readers: Readers, overview: "Overview"
) -> "AsyncIterator[ApiServices]":
    """Give what the api answers from, and keep patterns and their meanings up to date as long as the block runs."""
    from zero.application.fields import FieldSearch
    from zero.application.meaning.search import MeaningSearch
    from zero.application.patterns.anomalies import Anomalies
    from zero.application.patterns.listing import PatternSearch
    from zero.application.search import Search
    from zero.application.tail import Tail
    from zero.application.timeline import TimelineSearch
    from zero.infrastructure.lucene.parser import LuceneParser
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.api.services import ApiServices

    telemetry, metrics = process_telemetry()
    clock, reader = SystemClock(), readers.logs
    search = Search(LuceneParser(), reader, clock)
    async with (
        tracing("api", settings, telemetry) as tracer,
        key_ring(settings, settings.api, 1, telemetry) as keys,
        key_admin(settings, telemetry) as admin,
        dead_letters(settings, buffer, telemetry) as letters,
        maintained_catalogue(settings, telemetry) as puts,
        maintained_meaning(settings, telemetry, puts) as chosen,
    ):
        meaning = MeaningSearch(search, readers.meaning, reader, chosen, clock, telemetry)
        yield ApiServices(
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
