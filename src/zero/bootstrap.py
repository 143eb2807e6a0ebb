"""Where concrete classes meet: each role is put together here, in plain calls.

A role imports what it needs when it starts, so that no process pays for the parts of another.
"""

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zero.domain.entry import BatchLimits
from zero.domain.errors import ConfigurationError, Forbidden, Unauthenticated, Unavailable
from zero.settings import Address, Settings, environment_name

if TYPE_CHECKING:
    from zero.application.drain.service import DrainService
    from zero.application.ingest import Ingest
    from zero.application.key_ring import KeyRing
    from zero.application.keys import Keys
    from zero.application.ports import Buffer, Codec, Telemetry
    from zero.application.search import Search
    from zero.infrastructure.clickhouse.options import ClickHouseOptions
    from zero.infrastructure.clickhouse.reader import ClickHouseReader
    from zero.infrastructure.redis.options import RedisOptions
    from zero.infrastructure.tls.server import ServerTls
    from zero.interfaces.ingest_grpc.server import GrpcDoor
    from zero.interfaces.ingest_http.server import IngestServices

LEASE_SECONDS = 10.0
DOORS_SHARE = 0.8
"""How much of the stop timeout the doors have; the rest is for the last flush."""
_READY_LOOK_SECONDS = 0.05

Ready = Callable[[], None]


def redis_options(settings: Settings) -> "RedisOptions":
    """Return how to reach the buffer. Raises ConfigurationError when no URL is set."""
    from zero.infrastructure.redis.options import RedisOptions

    if not settings.buffer_url:
        raise ConfigurationError("ZERO_BUFFER_URL is empty: set it, or run `zero up`, which starts a buffer of its own")
    timeout_seconds = settings.buffer_timeout_ms / 1000
    days, url = settings.retention_days, settings.buffer_url
    return RedisOptions(
        url, shards=settings.shards, timeout_seconds=timeout_seconds, lease_seconds=LEASE_SECONDS, ledger_days=days
    )


def clickhouse_options(settings: Settings) -> "ClickHouseOptions":
    """Return how to reach the store. Raises ConfigurationError when no URL is set."""
    from zero.infrastructure.clickhouse.options import ClickHouseOptions

    if not settings.clickhouse_url:
        raise ConfigurationError("ZERO_CLICKHOUSE_URL is empty: set it, or run `zero up`, which starts a store of its own")
    return ClickHouseOptions(settings.clickhouse_url, retention_days=settings.retention_days)


def _reader_options(settings: Settings) -> "ClickHouseOptions":
    return clickhouse_options(replace(settings, clickhouse_url=settings.clickhouse_reader_url or settings.clickhouse_url))


def run_migrations(settings: Settings) -> list[str]:
    """Bring the store up to date; returns what was applied."""
    from zero.infrastructure.clickhouse.migrations import migrate

    return migrate(clickhouse_options(settings))


@asynccontextmanager
async def key_ring(settings: Settings, address: Address, processes: int, telemetry: "Telemetry") -> AsyncIterator["KeyRing"]:
    """Keep the keys of a listener that ``processes`` share. Raises ConfigurationError when it is exposed without any."""
    from zero.application.key_ring import KeyRing, KeyRingOptions
    from zero.infrastructure.redis.key_store import RedisKeyStore
    from zero.infrastructure.system.clock import SystemClock

    store = RedisKeyStore(redis_options(settings))
    options = KeyRingOptions(exposed=not address.is_loopback, processes=processes)
    ring = KeyRing(store, SystemClock(), telemetry, options)
    try:
        await ring.start()
        yield ring
    finally:
        await ring.close()
        await store.close()


@asynccontextmanager
async def key_admin(settings: Settings, telemetry: "Telemetry | None" = None) -> AsyncIterator["Keys"]:
    """Give what changes the keys in the buffer."""
    from zero.application.keys import Keys
    from zero.infrastructure.redis.key_store import RedisKeyStore
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry

    store = RedisKeyStore(redis_options(settings))
    try:
        yield Keys(store, SystemClock(), telemetry or process_telemetry()[0])
    finally:
        await store.close()


@asynccontextmanager
async def server_tls(settings: Settings, telemetry: "Telemetry") -> AsyncIterator["ServerTls | None"]:
    """Give the TLS of all listeners of this process, kept up to date; None where they speak plaintext."""
    if not settings.tls_cert:
        yield None
        return
    from zero.infrastructure.tls.server import ServerTls, TlsOptions

    client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    tls = ServerTls(TlsOptions(Path(settings.tls_cert), Path(settings.tls_key), client_ca), telemetry)
    async with tls.watched():
        yield tls


def _outermost(*addresses: Address | None) -> Address:
    """Return the address that most can reach."""
    given = [address for address in addresses if address is not None]
    return next((address for address in given if not address.is_loopback), given[0])


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

    readers: list[ClickHouseReader] = []

    def make() -> Search:
        from zero.infrastructure.clickhouse.connection import connect
        from zero.infrastructure.clickhouse.reader import ClickHouseReader
        from zero.infrastructure.lucene.parser import LuceneParser

        store = _reader_options(settings)
        readers.append(ClickHouseReader(lambda: connect(store)))
        return Search(LuceneParser(), readers[-1], SystemClock())

    try:
        yield make if settings.clickhouse_url else None
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
        given = (services.ingest, services.codec, services.decompressor, services.readiness, services.telemetry, services.keys)
        door = GrpcDoor(GrpcServices(*given, search), options)
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
        with _bound(f"syslog_{transport}", settings):
            sock = bind(transport, address.host, address.port, options)
        listeners.append(Listener(transport, sock, tls.context() if tls and transport == "tls" else None))
    given = SyslogServices(services.ingest, NativeCodec(), services.telemetry, badge)
    yield serve(given, options, listeners, stop)


def _codec(settings: Settings) -> "Codec":
    """Return the codec of the pipeline."""
    if settings.stage.native:
        return native_codec()
    from zero.infrastructure.codec.python_codec import PythonCodec

    return PythonCodec(native_codec().crc32c)


def _accepting(settings: Settings, codec: "Codec", telemetry: "Telemetry") -> tuple["Ingest", "Buffer"]:
    """Return what takes requests, and where it puts them before it answers."""
    from zero.application.direct import DirectIngest
    from zero.application.ingest import Ingest, IngestOptions
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.system.clock import SystemClock

    stage, options = settings.stage, IngestOptions(shards=settings.shards, strict_durability=settings.durability == "strict")
    if not stage.all_cores:
        options = replace(options, inline_bytes_max=BatchLimits().body_bytes)
    buffer: Buffer
    if stage.buffered:
        buffer = RedisBuffer(redis_options(settings))
    else:
        from zero.infrastructure.clickhouse.direct import ClickHouseBuffer

        buffer = ClickHouseBuffer(clickhouse_options(settings), codec, telemetry, waits=stage.waits)
    kind = Ingest if stage.coalesces else DirectIngest
    return kind(codec, buffer, SystemClock(), telemetry, options), buffer


async def run_ingest(settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Serve the ingest doors until ``stop`` is set."""
    from zero.application.readiness import Readiness
    from zero.infrastructure.codec.decompress import BoundedDecompressor
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.ingest_http.options import IngestHttpOptions
    from zero.interfaces.ingest_http.server import IngestServices, bind, serve

    telemetry, metrics = process_telemetry()
    codec = _codec(settings)
    ingest, buffer = _accepting(settings, codec, telemetry)
    readiness = Readiness(buffer, strict_durability=settings.durability == "strict")
    options = IngestHttpOptions(stop_timeout_seconds=settings.stop_seconds_max * DOORS_SHARE)
    flush_seconds_max = settings.stop_seconds_max * (1 - DOORS_SHARE)

    async def is_ready() -> bool:
        return (await readiness.check()).ready

    with _bound("ingest_http", settings):
        sock = bind(settings.ingest_http.host, settings.ingest_http.port)
    try:
        async with AsyncExitStack() as stack:
            syslog = [address for _, address in settings.syslog_listeners]
            outermost = _outermost(settings.ingest_http, settings.ingest_grpc, *syslog)
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
            announcing = asyncio.create_task(_announce(ready, is_ready))
            stack.callback(announcing.cancel)
            await _serve_all(doors, stop)
    finally:
        await buffer.close()


async def run_drain(shard: int | None, owner: str | None, settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Drain all shards, or the share of one, until ``stop`` is set; then until they are empty or time is up."""
    from zero.application.drain.options import DrainOptions
    from zero.application.drain.parts import DrainParts
    from zero.application.drain.service import DrainService, DrainServiceOptions, ShardShare
    from zero.application.drain.shard import ShardDrain
    from zero.infrastructure.clickhouse.store import ClickHouseStore
    from zero.infrastructure.redis.shard_log import RedisShardLog
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry

    telemetry, metrics = process_telemetry()
    log, store = RedisShardLog(redis_options(settings)), ClickHouseStore(clickhouse_options(settings))
    parts = DrainParts(log, store, _codec(settings), SystemClock(), random.Random(), telemetry)  # noqa: S311 - jitter, not a secret
    name = owner or f"{socket.gethostname()}-{os.getpid()}"
    options = DrainServiceOptions(drain_seconds=settings.stop_seconds_max * 0.8)
    bounds = DrainOptions(block_rows_max=settings.stage.drain_block_rows_max)
    share = ShardShare() if shard is None else ShardShare(shard, settings.shards)
    small = replace(bounds, block_bytes_max=bounds.block_bytes_max // 8)  # shards of a former setting are many at once

    def fit(one: int) -> DrainOptions:
        return bounds if one < settings.shards else small

    service = DrainService(lambda one: ShardDrain(one, f"{name}-{one}", parts, fit(one)), log, share, settings.shards, options)

    async def is_ready() -> bool:
        return service.ready

    announcing = asyncio.create_task(_announce(ready, is_ready))
    try:
        async with _drain_page(settings, service, telemetry, metrics.text):
            await service.run(stop)
    finally:
        announcing.cancel()
        await log.close()
        await store.close()


@asynccontextmanager
async def _drain_page(
    settings: Settings, service: "DrainService", telemetry: "Telemetry", metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Show how the drain is, if that is asked for."""
    address = settings.drain_http
    if address is None:
        yield
        return
    from zero.interfaces.drain_page.server import DrainPage, DrainPageServices

    async with key_ring(settings, address, 1, telemetry) as keys, server_tls(settings, telemetry) as tls:
        page = DrainPage(DrainPageServices(lambda: service.ready, service.states, metrics, keys))
        with _bound("drain_http", settings):
            server = await page.listen(address.host, address.port, tls.context("http/1.1") if tls else None)
        async with server:
            yield


async def run_api(settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Answer queries until ``stop`` is set."""
    from zero.application.overview import Overview
    from zero.application.search import Search
    from zero.application.tail import Tail
    from zero.application.timeline import TimelineSearch
    from zero.infrastructure.clickhouse.connection import connect
    from zero.infrastructure.clickhouse.reader import ClickHouseReader
    from zero.infrastructure.lucene.parser import LuceneParser
    from zero.infrastructure.redis.buffer import RedisBuffer
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry
    from zero.interfaces.api.options import ApiOptions
    from zero.interfaces.api.server import serve
    from zero.interfaces.api.services import ApiServices

    telemetry, metrics = process_telemetry()
    clock, buffer = SystemClock(), RedisBuffer(redis_options(settings))
    store = _reader_options(settings)
    reader = ClickHouseReader(lambda: connect(store))
    search, overview = Search(LuceneParser(), reader, clock), Overview(buffer, reader, clock, settings.retention_days)
    timeline, tail = TimelineSearch(search, reader, clock), Tail(search, reader, clock)
    with _bound("api", settings):
        family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
        sock = socket.create_server((settings.api.host, settings.api.port), family=family)

    async def is_ready() -> bool:
        return not (await overview.ready()).reasons

    announcing = asyncio.create_task(_announce(ready, is_ready))
    options = ApiOptions(host=settings.api.host, stop_seconds_max=float(settings.stop_seconds_max))
    try:
        async with AsyncExitStack() as stack:
            tls = await stack.enter_async_context(server_tls(settings, telemetry))
            keys = await stack.enter_async_context(key_ring(settings, settings.api, 1, telemetry))
            admin = await stack.enter_async_context(key_admin(settings, telemetry))
            services = ApiServices(search, timeline, tail, overview, metrics.text, keys, admin)
            await serve(services, options, [sock], stop, tls.context("http/1.1") if tls else None)
    finally:
        announcing.cancel()
        await reader.close()
        await buffer.close()


def native_codec() -> "Codec":
    """Return the codec of the platform."""
    from zero.infrastructure.native.codec import NativeCodec

    return NativeCodec()


async def _announce(ready: Ready, look: Callable[[], Awaitable[bool]]) -> None:
    while not await look():  # noqa: ASYNC110 - readiness lies outside this process
        await asyncio.sleep(_READY_LOOK_SECONDS)
    ready()


@contextmanager
def _bound(name: str, settings: Settings) -> Iterator[None]:
    """Say which setting is to blame when a port cannot be had."""
    try:
        yield
    except OSError as error:
        address = f"{environment_name(name)}={getattr(settings, name)}"
        raise ConfigurationError(f"cannot listen on {address}: {error.strerror or error}; choose another address") from error
