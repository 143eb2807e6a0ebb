"""The role that takes logs in: every door, and what stands behind them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from zero.bootstrap.clickhouse import chosen_codec, clickhouse_options
from zero.bootstrap.parts import (
    DOORS_SHARE,
    Ready,
    announce,
    bound,
    key_ring,
    most_exposed,
    redis_options,
    server_tls,
    tracing,
)
from zero.bootstrap.stores import ClosingLogReader, store_kind
from zero.domain.entry import BatchLimits
from zero.domain.errors import ConfigurationError, Forbidden, Unauthenticated, Unavailable
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.ingest import Ingest
    from zero.application.ports import Buffer, Codec, Telemetry, Tracer
    from zero.application.search import Search
    from zero.infrastructure.tls.server import ServerTls
    from zero.interfaces.ingest_grpc.server import GrpcDoor
    from zero.interfaces.ingest_http.server import IngestServices


async def _serve_all(doors: Sequence[Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    """Run the doors until ``stop`` is set; when one fails stop the others, and raise its error."""
    tasks = [asyncio.create_task(door) for door in doors]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()


@asynccontextmanager
async def _lazy_search(settings: Settings) -> AsyncIterator["Callable[[], Search] | None"]:
    """Give what makes a search when the first query comes; None where no store is known."""
    from zero.application.search import Search
    from zero.infrastructure.system.clock import SystemClock

    readers: list[ClosingLogReader] = []

    def make() -> Search:
        from zero.infrastructure.lucene.parser import LuceneParser

        readers.append(store_kind(settings).readers().logs)
        return Search(LuceneParser(), readers[-1], SystemClock())

    try:
        yield make if settings.store else None
    finally:
        for reader in readers:
            await reader.close()


@asynccontextmanager
async def _grpc_door(settings: Settings, services: "IngestServices", tls: "ServerTls | None") -> AsyncIterator["GrpcDoor"]:
    """Listen for gRPC."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its lines are not ours, and clients could fill the log with them
    from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
    from zero.interfaces.ingest_grpc.server import GrpcDoor, GrpcServices

    options = IngestGrpcOptions(stop_timeout_seconds=settings.stop_seconds_max * DOORS_SHARE)
    async with _lazy_search(settings) as search:
        needs = GrpcServices(
            ingest=services.ingest,
            codec=services.codec,
            decompressor=services.decompressor,
            readiness=services.readiness,
            telemetry=services.telemetry,
            keys=services.keys,
            make_search=search,
        )
        door = GrpcDoor(needs, options)
        door.bind(str(settings.ingest_grpc), (lambda: tls.pem) if tls else None)
        yield door


def _syslog_doors(
    settings: Settings, services: "IngestServices", tls: "ServerTls | None", stop: asyncio.Event
) -> Iterator[Coroutine[None, None, None]]:
    """Listen for syslog where that is asked for. Raises ConfigurationError when the key of its senders is not good."""
    if not settings.syslog_listeners:
        return
    from zero.infrastructure.native.codec import NativeCodec
    from zero.interfaces.ingest_syslog.delivery import Badge, SyslogServices
    from zero.interfaces.ingest_syslog.options import SyslogOptions
    from zero.interfaces.ingest_syslog.server import Listener, bind, serve

    options = SyslogOptions(stop_timeout_seconds=settings.stop_seconds_max * DOORS_SHARE)
    badge = Badge(services.keys, settings.syslog_key, services.telemetry)
    try:
        with suppress(Unavailable):  # the keys are not known yet
            badge.identity()
    except (Unauthenticated, Forbidden) as error:
        raise ConfigurationError(
            f"syslog senders show no key, so ZERO_SYSLOG_KEY has to be one with the scope ingest: {error.message}"
        ) from error
    listeners = []
    for transport, address in settings.syslog_listeners:
        with bound(f"syslog_{transport}", settings):
            sock = bind(transport, address.host, address.port, options)
        listeners.append(Listener(transport, sock, tls.context() if tls and transport == "tls" else None))
    given = SyslogServices(services.ingest, NativeCodec(), services.telemetry, badge)
    yield serve(given, options, listeners, stop)


def _accepting(
    settings: Settings, codec: "Codec", telemetry: "Telemetry", tracer: "Tracer | None"
) -> tuple["Ingest", "Buffer"]:
    """Return what takes requests, and where it puts them before it answers."""
    from zero.application.direct import DirectIngest
    from zero.application.ingest import Ingest, IngestOptions
    from zero.application.traced_ingest import TracedIngest
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.system.clock import SystemClock

    stage, patience_seconds = settings.stage, settings.buffer_timeout_ms / 1000
    options = IngestOptions(settings.shards, settings.durability == "strict", patience_seconds=patience_seconds)
    if not stage.all_cores:
        options = replace(options, inline_bytes_max=BatchLimits().body_bytes)
    buffer: Buffer
    if stage.buffered:
        buffer = RedisBuffer(redis_options(settings))
    else:
        from zero.infrastructure.clickhouse.direct import ClickHouseBuffer

        buffer = ClickHouseBuffer(clickhouse_options(settings), codec, telemetry, waits=stage.waits)
    clock = SystemClock()
    if not stage.coalesces:
        return DirectIngest(codec, buffer, clock, telemetry, options), buffer
    if tracer is not None:
        return TracedIngest(tracer, codec, buffer, clock, telemetry, options), buffer
    return Ingest(codec, buffer, clock, telemetry, options), buffer


async def run_ingest(settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Serve the ingest doors until ``stop`` is set."""
    from zero.infrastructure.telemetry.process import process_telemetry

    async with tracing("ingest", settings, process_telemetry()[0]) as tracer:
        await _serve_doors(settings, tracer, stop, ready)


async def _serve_doors(settings: Settings, tracer: "Tracer | None", stop: asyncio.Event, ready: Ready) -> None:
    from zero.application.readiness import Readiness
    from zero.infrastructure.codec.decompress import BoundedDecompressor
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.ingest_http.options import IngestHttpOptions
    from zero.interfaces.ingest_http.server import IngestServices, bind, serve

    telemetry, metrics = process_telemetry()
    codec = chosen_codec(settings)
    ingest, buffer = _accepting(settings, codec, telemetry, tracer)
    readiness = Readiness(buffer, strict_durability=settings.durability == "strict")
    options = IngestHttpOptions(stop_timeout_seconds=settings.stop_seconds_max * DOORS_SHARE)
    flush_seconds_max = settings.stop_seconds_max * (1 - DOORS_SHARE)

    async def is_ready() -> bool:
        return (await readiness.check()).ready

    with bound("ingest_http", settings):
        sock = bind(settings.ingest_http.host, settings.ingest_http.port)
    try:
        async with AsyncExitStack() as stack:
            outermost = most_exposed(*settings.doors)
            keys = await stack.enter_async_context(key_ring(settings, outermost, settings.ingest_processes, telemetry))
            tls = await stack.enter_async_context(server_tls(settings, telemetry))
            await stack.enter_async_context(ingest.running(flush_seconds_max))
            services = IngestServices(ingest, codec, BoundedDecompressor(), readiness, metrics.text, telemetry, keys)
            grpc = None
            if settings.ingest_grpc is not None:
                grpc = await stack.enter_async_context(_grpc_door(settings, services, tls))
            doors = [*_syslog_doors(settings, services, tls, stop)]
            doors.append(serve(services, options, [sock], stop, tls.context("h2", "http/1.1") if tls else None))
            if grpc is not None:
                doors.append(grpc.serve(stop))
            announcing = asyncio.create_task(announce(ready, is_ready))
            stack.callback(announcing.cancel)
            await _serve_all(doors, stop)
    finally:
        await buffer.close()
