"""Parts that several roles share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zero.domain.errors import ConfigurationError
from zero.settings import Address, Settings, environment_name

if TYPE_CHECKING:
    from zero.application.key_ring import KeyRing
    from zero.application.keys import Keys
    from zero.application.ports import Telemetry, Tracer
    from zero.infrastructure.redis.options import RedisOptions
    from zero.infrastructure.tls.server import ServerTls


LEASE_SECONDS = 2.5
"""How soon after its host is gone the shards of a drain are free: five renewals; with the take-over, within five seconds."""
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
    days, url = settings.retention.days_max, settings.buffer_url
    return RedisOptions(
        url,
        shards=settings.shards,
        timeout_seconds=timeout_seconds,
        lease_seconds=LEASE_SECONDS,
        ledger_days=days,
        replicas=settings.buffer_replicas,
    )


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
    """Give the administration of keys, over the buffer."""
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


@asynccontextmanager
async def tracing(role: str, settings: Settings, telemetry: "Telemetry") -> AsyncIterator["Tracer | None"]:
    """Give the tracer of this process; None when tracing is not set up."""
    if not settings.traces_url:
        yield None
        return
    try:
        from zero.infrastructure.telemetry.tracing import OtelTracer, TracingOptions
    except ImportError as error:
        raise ConfigurationError(
            f"ZERO_TRACES_URL needs the extra otel: make setup, or pip install '.[otel]': {error}"
        ) from error
    tracer = OtelTracer(TracingOptions(settings.traces_url, role, settings.traces_per_thousand), telemetry)
    try:
        yield tracer
    finally:
        await tracer.close()


def most_exposed(*addresses: Address | None) -> Address:
    """Return the first address that other machines can reach, else the first."""
    given = [address for address in addresses if address is not None]
    return next((address for address in given if not address.is_loopback), given[0])


async def announce(ready: Ready, look: Callable[[], Awaitable[bool]]) -> None:
    """Ask ``look`` until it is true, then call ``ready``."""
    while not await look():  # noqa: ASYNC110 - readiness lies outside this process
        await asyncio.sleep(_READY_LOOK_SECONDS)
    ready()


@contextmanager
def bound(name: str, settings: Settings) -> Iterator[None]:
    """Turn an OSError of binding a port into a ConfigurationError that names the setting."""
    try:
        yield
    except OSError as error:
        address = f"{environment_name(name)}={getattr(settings, name)}"
        raise ConfigurationError(f"cannot listen on {address}: {error.strerror or error}; choose another address") from error
