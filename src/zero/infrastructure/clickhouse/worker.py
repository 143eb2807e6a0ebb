"""Work in the background over ``clickhouse-connect``: one connection, used by one thread, that takes little of the server."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client

from zero.infrastructure.clickhouse.connection import connect_writer, permitted
from zero.infrastructure.clickhouse.errors import translated
from zero.infrastructure.clickhouse.identities import among
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.rows import read_json_rows

Result = TypeVar("Result")

# One thread of the server, and no more than this of its memory and time: searches and inserts come first.
_BOUNDS = {
    "max_threads": 1,
    "max_memory_usage": 1 << 30,
    "max_execution_time": 60,
    "max_bytes_before_external_group_by": 256 << 20,
}


class ClickHouseWorker:
    """Runs steps one after the other, with all rights of the writer; connects at the first one. ``name`` is its thread's."""

    def __init__(self, options: ClickHouseOptions, name: str) -> None:
        self._options = options
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, step: Callable[..., Result], *arguments: Any) -> Result:
        """Call the step in the thread, with the client first. Raises StoreRejected, StoreHalted or StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, step, arguments)

    async def close(self) -> None:
        """Close the connection once the running step has ended; those behind it are dropped."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    def _run(self, step: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        with translated():
            if self._client is None:
                self._client = connect_writer(self._options)
            return step(self._client, *arguments)


def query_rows(client: Client, sql: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
    """Return the rows of a query, within the bounds of work in the background."""
    settings = permitted(client, _BOUNDS)
    return list(read_json_rows(client.raw_query(sql, dict(parameters), settings=settings, fmt="JSONCompactEachRow")))


def insert_rows(client: Client, table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Insert rows that are written as JSON arrays of the columns' values."""
    client.raw_insert(table, columns, "\n".join(rows).encode(), {"async_insert": 0}, fmt="JSONCompactEachRow")


def new_version() -> int:
    """Return the version of rows that replace earlier ones of the same key: microseconds of the Unix epoch."""
    return time.time_ns() // 1000


def look_up(client: Client, column: str, identities: Sequence[tuple[int, int]]) -> dict[tuple[str, int, int], str]:
    """Return a text column of the entries with these identities, of any tenant, by (tenant, batch id, index)."""
    condition, parameters = among(identities)
    rows = query_rows(client, f"SELECT tenant, _bid, _idx, {column} FROM logs WHERE {condition}", parameters)
    return {(tenant, int(batch_id), int(index)): text for tenant, batch_id, index, text in rows}
