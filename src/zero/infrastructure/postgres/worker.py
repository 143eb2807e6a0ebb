"""Work in the background over psycopg: one connection, no statement of it long, none taking a second process of the server."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from zero.infrastructure.postgres.connection import connect
from zero.infrastructure.postgres.errors import translated
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.pool import Connections
from zero.infrastructure.postgres.rows import Row

_STATEMENT_SECONDS_MAX = 60


class PostgresWorker:
    """Runs statements one after the other; connects at the first one. Raises StoreRejected, StoreHalted or StoreUnavailable."""

    def __init__(self, options: PostgresOptions) -> None:
        use_seconds_max = _STATEMENT_SECONDS_MAX + options.connect_timeout_seconds
        self._connections = Connections(lambda: _connect(options), 1, use_seconds_max)

    async def run(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Run one statement; returns its rows, none where it gives none."""
        with translated():
            async with self._connections.one() as connection:
                cursor = await connection.execute(sql.encode(), parameters or None)
                return await cursor.fetchall() if cursor.description else []

    async def run_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run the statement for each of the rows, in one transaction."""
        with translated():
            async with self._connections.one() as connection, connection.cursor() as cursor, connection.transaction():
                await cursor.executemany(sql.encode(), rows)

    async def close(self) -> None:
        """Close the connection."""
        await self._connections.close()


async def _connect(options: PostgresOptions) -> AsyncConnection:
    connection = await connect(options)
    await connection.execute(f"SET statement_timeout = {_STATEMENT_SECONDS_MAX * 1000}".encode())
    await connection.execute("SET max_parallel_workers_per_gather = 0")
    return connection
