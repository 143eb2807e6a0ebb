"""The role that moves logs from the buffer into the store."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from zero.bootstrap.parts import Ready, announce, bound, key_ring, redis_options, server_tls, tracing
from zero.bootstrap.stores import store_kind
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.drain.service import DrainService
    from zero.application.ports import Telemetry, Tracer


async def run_drain(shard: int | None, owner: str | None, settings: Settings, stop: asyncio.Event, ready: Ready) -> None:
    """Drain all shards, or the share of one, until ``stop`` is set; then until they are empty or time is up."""
    from zero.infrastructure.telemetry.process import process_telemetry

    async with tracing("drain", settings, process_telemetry()[0]) as tracer:
        await _drain_shards(shard, owner, settings, tracer, stop, ready)


def lease_owner(given: str | None) -> str:
    """Return the name given, or one that no other process has: containers on one host's network are all its process 1, and a
    name that two have gives each the lease of the other."""
    return given or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


async def _drain_shards(
    shard: int | None, owner: str | None, settings: Settings, tracer: "Tracer | None", stop: asyncio.Event, ready: Ready
) -> None:
    from zero.application.drain.options import DrainOptions
    from zero.application.drain.parts import DrainParts
    from zero.application.drain.service import DrainService, DrainServiceOptions, ShardShare
    from zero.application.drain.shard import ShardDrain
    from zero.application.drain.traced import TracedDrain
    from zero.infrastructure.redis.shard_log import RedisShardLog
    from zero.infrastructure.system.clock import SystemClock
    from zero.infrastructure.telemetry.process import process_telemetry

    telemetry, metrics = process_telemetry()
    kind = store_kind(settings)
    log, store = RedisShardLog(redis_options(settings)), kind.store()
    parts = DrainParts(log, store, kind.codec(), SystemClock(), random.Random(), telemetry)  # noqa: S311 - jitter, not a secret
    name = lease_owner(owner)
    options = DrainServiceOptions(drain_seconds=settings.stop_seconds_max * 0.8)
    bounds = DrainOptions(block_rows_max=kind.block_rows_max)
    share = ShardShare() if shard is None else ShardShare(shard, settings.shards)
    small = replace(bounds, block_bytes_max=bounds.block_bytes_max // 8)  # shards of a former setting are many at once

    def fit(one: int) -> DrainOptions:
        return bounds if one < settings.shards else small

    def make(one: int) -> ShardDrain:
        if tracer is not None:
            return TracedDrain(one, f"{name}-{one}", parts, fit(one), tracer)
        return ShardDrain(one, f"{name}-{one}", parts, fit(one))

    service = DrainService(make, log, share, settings.shards, options)

    async def is_ready() -> bool:
        return service.ready

    announcing = asyncio.create_task(announce(ready, is_ready))
    try:
        page, upkeep = _drain_page(settings, service, telemetry, metrics.text), kind.upkeep(telemetry)
        async with page, upkeep, enforced_retention(settings, lambda: service.holds(0), telemetry):
            await service.run(stop)
    finally:
        announcing.cancel()
        await log.close()
        await store.close()


@asynccontextmanager
async def enforced_retention(settings: Settings, ours: Callable[[], bool], telemetry: "Telemetry") -> AsyncIterator[None]:
    """Keep the store within its retention, in days and in bytes, as long as the block runs and ``ours`` is true."""
    from zero.application.background import end
    from zero.application.retention import KeeperParts, RetentionKeeper
    from zero.infrastructure.redis.retention import RedisRetention
    from zero.infrastructure.system.clock import SystemClock

    ledger, store = RedisRetention(redis_options(settings)), store_kind(settings).retention()
    keeper = RetentionKeeper(settings.retention, KeeperParts(ledger, store, SystemClock(), telemetry, ours))
    keeping = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        await end(keeping)
        await ledger.close()


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
        with bound("drain_http", settings):
            server = await page.listen(address.host, address.port, tls.context("http/1.1") if tls else None)
        async with server:
            yield
