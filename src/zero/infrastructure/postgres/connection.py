"""Connections to PostgreSQL: asynchronous, in autocommit, every value bound by the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from zero.domain.errors import StoreHalted
from zero.infrastructure.postgres.errors import translated
from zero.infrastructure.postgres.options import PostgresOptions

OLDEST_VERSION = 14
"""The first release that detaches a partition without stopping those who read."""
_RELAXED = "off"
# Dead peers are noticed by the kernel; our own waits have bounds of their own.
_KEPT_ALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What the server says of itself. ``now_seconds`` is its clock, Unix time; ``weak`` names settings that lose commits."""

    version: str
    now_seconds: float
    weak: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the server is new enough."""
        return int(self.version.split(".")[0]) >= OLDEST_VERSION


async def connect(options: PostgresOptions) -> AsyncConnection:
    """Return a connection with all rights of its user, whose commits are on disk. Raises the driver's own errors."""
    async with asyncio.timeout(options.connect_timeout_seconds):
        connection = await AsyncConnection.connect(
            options.url,
            autocommit=True,
            prepare_threshold=None,  # a pooler between us and the server may have none of our prepared statements
            connect_timeout=options.connect_timeout_seconds,
            application_name="zero",
            client_encoding="utf8",
            **_KEPT_ALIVE,
        )
    if (await setting(connection, "synchronous_commit")) == _RELAXED:
        await connection.execute("SET synchronous_commit = on")
    return connection


async def connect_reader(options: PostgresOptions, query_seconds_max: float) -> AsyncConnection:
    """Return a connection that can only read, whoever its user is, and whose queries end in time."""
    connection = await connect(options)
    await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    await connection.execute(f"SET statement_timeout = {max(1, int(query_seconds_max * 1000))}".encode())
    return connection


async def setting(connection: AsyncConnection, name: str) -> str:
    """Return a setting of the server as it holds for the connection."""
    row = await (await connection.execute("SELECT current_setting(%s)", (name,))).fetchone()
    return str(row[0]) if row else ""


@asynccontextmanager
async def connected(options: PostgresOptions) -> AsyncIterator[AsyncConnection]:
    """Give a connection for one piece of work; errors come out translated."""
    with translated():
        connection = await connect(options)
        try:
            yield connection
        finally:
            await connection.close()


def server_version(options: PostgresOptions) -> ServerVersion:
    """Ask the server for its version, its clock, and whether its commits last. Raises StoreUnavailable or StoreHalted."""
    return asyncio.run(_server_version(options))


async def _server_version(options: PostgresOptions) -> ServerVersion:
    async with connected(options) as connection:
        row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
        weak = [name for name in ("fsync", "full_page_writes") if await setting(connection, name) == _RELAXED]
        version = (await setting(connection, "server_version")).split()[0]
        return ServerVersion(version, float(row[0]) if row else 0.0, tuple(weak))


async def check(connection: AsyncConnection) -> None:
    """Raise StoreHalted where the database cannot hold logs: too old a server, or an encoding that is not UTF-8."""
    version, encoding = await setting(connection, "server_version"), await setting(connection, "server_encoding")
    if int(version.split(".")[0].split()[0]) < OLDEST_VERSION:
        raise StoreHalted(f"PostgreSQL {version} is too old: {OLDEST_VERSION} or newer is needed", store_code=0)
    if encoding != "UTF8":
        raise StoreHalted(f"the database has the encoding {encoding}: make one with ENCODING 'UTF8'", store_code=0)
