"""Searching the store: bound parameters only, the tenant in every query, a bound on time, rows and what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from zero.application.ports import Scope, StoreFigures, Tally
from zero.application.sql_condition import FACET_COLUMNS
from zero.application.tracing import step
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level
from zero.domain.errors import Overloaded, QueryTooExpensive, StoreUnavailable, ZeroError
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from zero.domain.query import And, TimeBetween
from zero.domain.stored import EntryKey, StoredEntry
from zero.infrastructure.postgres.connection import connect_reader
from zero.infrastructure.postgres.errors import FOREIGN, is_too_expensive, translate
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import days, partition
from zero.infrastructure.postgres.pool import Connections
from zero.infrastructure.postgres.query_compiler import Parameters, compile_query
from zero.infrastructure.postgres.rows import ENTRY_COLUMNS, Row, read_entries
from zero.infrastructure.postgres.values import from_text, signed, to_text, unsigned

_SILENCE_SECONDS_MAX = 5.0
_TRIES_MAX = 2
_KEY = "(%(key_ns)s::bigint, %(key_bid)s::bigint, %(key_idx)s::bigint)"


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """Bounds of reading. Queries beyond ``queries_max`` wait; beyond ``waiting_max`` waiting ones they are refused.

    ``rows_max`` is how many rows one query may give back.
    """

    queries_max: int = 4
    waiting_max: int = 64
    rows_max: int = 1_000_000
    query_seconds_max: float = 20.0


class PostgresReader:
    """Implements LogReader over psycopg, in transactions that are read-only, with a statement_timeout."""

    def __init__(self, options: PostgresOptions, bounds: ReaderOptions | None = None) -> None:
        self._bounds = bounds or ReaderOptions()
        seconds = self._bounds.query_seconds_max

        async def connect() -> AsyncConnection:
            return await connect_reader(options, seconds)

        used = seconds + options.connect_timeout_seconds + _SILENCE_SECONDS_MAX
        self._connections = Connections(connect, self._bounds.queries_max, used)
        self._asked = 0

    async def latest(self, scope: Scope, limit: int, before: EntryKey | None = None) -> Sequence[StoredEntry]:
        """Read backwards along the index of time, which is the order of the answer."""
        condition, parameters = scope_condition(scope)
        if before is not None:
            condition += f" AND (timestamp_ns, bid, idx) < {_KEY}"
            parameters |= _key_values(before)
        order = "ORDER BY timestamp_ns DESC, bid DESC, idx DESC LIMIT %(limit)s"
        sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE {condition} {order}"
        return read_entries(await self.ask(sql, parameters | {"limit": limit}))

    async def earliest(self, scope: Scope, limit: int, after: EntryKey) -> Sequence[StoredEntry]:
        """Read forwards along the same index."""
        condition, parameters = scope_condition(scope)
        order = "ORDER BY timestamp_ns, bid, idx LIMIT %(limit)s"
        sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE {condition} AND (timestamp_ns, bid, idx) > {_KEY} {order}"
        return read_entries(await self.ask(sql, {**parameters, **_key_values(after), "limit": limit}))

    async def arrivals(self, scope: Scope, since_batch_id: int, limit: int) -> Sequence[tuple[int, int]]:
        """Select by batch id, which grows with the time of receipt."""
        condition, parameters = scope_condition(scope)
        parameters |= {"since": signed(since_batch_id), "limit": limit}
        sql = f"SELECT bid, idx FROM logs WHERE {condition} AND bid >= %(since)s ORDER BY bid DESC, idx DESC LIMIT %(limit)s"
        return [(unsigned(bid), index) for bid, index in await self.ask(sql, parameters)]

    async def entries(self, tenant: str, identities: Sequence[tuple[int, int]]) -> Sequence[StoredEntry]:
        """Fetch whole entries by identity."""
        batch_ids, indexes = [signed(bid) for bid, _ in identities], [index for _, index in identities]
        wanted = "SELECT * FROM unnest(%(bids)s::bigint[], %(idxs)s::bigint[])"
        sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE tenant = %(tenant)s AND (bid, idx) IN ({wanted}) ORDER BY bid, idx"
        return read_entries(await self.ask(sql, {"tenant": to_text(tenant), "bids": batch_ids, "idxs": indexes}))

    async def histogram(self, scope: Scope, step_seconds: int) -> Sequence[Tally]:
        """Count by step and level."""
        condition, parameters = scope_condition(scope)
        parameters["step"] = step_seconds * NANOSECONDS_PER_SECOND
        start = "timestamp_ns / %(step)s::bigint * %(step)s::bigint"
        sql = f"SELECT {start} AS start, level, count(*) FROM logs WHERE {condition} GROUP BY 1, level ORDER BY 1, level"
        return [Tally(start, Level(level), count) for start, level, count in await self.ask(sql, parameters)]

    async def facets(self, scope: Scope, fields: Sequence[str], limit: int) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Count by value, one query for each field."""
        counts = {}
        for field in fields:
            column = FACET_COLUMNS[field]
            condition, parameters = scope_condition(scope)
            sql = (
                f"SELECT {column} AS value, count(*) AS entries FROM logs WHERE {condition}"
                " GROUP BY value ORDER BY entries DESC, value LIMIT %(limit)s"
            )
            rows = await self.ask(sql, parameters | {"limit": limit})
            counts[field] = [(Level(value).name if field == "level" else from_text(value), count) for value, count in rows]
        return counts

    async def figures(self, tenant: str, now_ns: int) -> StoreFigures:
        """Count what is stored, from the index alone where the server can; the last minute is told by batch ids."""
        of_tenant = {"tenant": to_text(tenant)}
        sql = "SELECT app_id, level, count(*) FROM logs WHERE tenant = %(tenant)s GROUP BY app_id, level"
        by_app: dict[str, int] = {}
        by_level: dict[Level, int] = {}
        for app_id, level, count in await self.ask(sql, of_tenant):
            app = from_text(app_id)
            by_app[app] = by_app.get(app, 0) + count
            by_level[Level(level)] = by_level.get(Level(level), 0) + count
        since = signed(batch_id(max(0, now_ns // NANOSECONDS_PER_MILLISECOND - 60_000), 0, 0))
        recent = "SELECT count(*) FROM logs WHERE tenant = %(tenant)s AND bid >= %(since)s"
        disk = "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree('logs') WHERE isleaf"
        last_minute = await self._number(recent, {**of_tenant, "since": since})
        return StoreFigures(sum(by_app.values()), by_app, by_level, last_minute, await self._number(disk, {}))

    async def rows(self) -> Mapping[str, int]:
        """Count every tenant's entries."""
        sql = "SELECT tenant, count(*) FROM logs GROUP BY tenant"
        return {from_text(tenant): count for tenant, count in await self.ask(sql, {})}

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Count every tenant's entries by the day that retention counts from: day by day, each a partition."""
        counts = {}
        for day in await self._days():
            for tenant, count in await self._rows_of(day):
                counts[from_text(tenant), day] = count
        return counts

    async def ping(self) -> None:
        """Ask for a row of the table, so that a missing migration shows as well."""
        await self.ask("SELECT 1 FROM logs LIMIT 1", {})

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def extent(self, tenant: str) -> tuple[int, int] | None:
        """Return the oldest and newest timestamp of the tenant, from the ends of the index; None without any."""
        sql = "SELECT min(timestamp_ns), max(timestamp_ns) FROM logs WHERE tenant = %(tenant)s"
        oldest_ns, newest_ns = (await self.ask(sql, {"tenant": to_text(tenant)}))[0]
        return None if oldest_ns is None else (oldest_ns, newest_ns)

    async def _days(self) -> list[int]:
        async with self._connections.one() as connection:
            return await days(connection)

    async def _rows_of(self, day: int) -> Sequence[Row]:
        try:
            return await self.ask(f"SELECT tenant, count(*) FROM {partition(day)} GROUP BY tenant", {})
        except ZeroError as error:
            if isinstance(error.__cause__, UndefinedTable):
                return []  # dropped since the days were listed
            raise

    async def _number(self, sql: str, parameters: Mapping[str, Any]) -> int:
        return int((await self.ask(sql, parameters))[0][0])

    async def ask(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        """Return the rows, within the bounds; ``sql`` is text of this package, never a user's."""
        if self._asked >= self._bounds.queries_max + self._bounds.waiting_max:
            raise Overloaded("too many searches at once")
        self._asked += 1
        try:
            with step("store query"):
                return await self._ask_again(sql, parameters)
        finally:
            self._asked -= 1

    async def _ask_again(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        for _ in range(_TRIES_MAX - 1):
            try:
                return await self._ask(sql, parameters)
            except StoreUnavailable:  # its connection may have been an old one, to a server that was started again
                await self._connections.close()
        return await self._ask(sql, parameters)

    async def _ask(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        try:
            async with self._connections.one() as connection:
                cursor = await connection.execute(sql.encode(), parameters or None)
                rows = await cursor.fetchmany(self._bounds.rows_max) if cursor.description else []
                if cursor.rowcount > self._bounds.rows_max:
                    raise QueryTooExpensive("the search finds too many rows: narrow the time range or the page")
                return rows
        except FOREIGN as error:
            if is_too_expensive(error):
                message = "the search passes a limit of time or size: narrow the time range or the page"
                raise QueryTooExpensive(message) from error
            raise translate(error) from error


def scope_condition(scope: Scope, window: TimeBetween | None = None) -> tuple[str, dict[str, Any]]:
    """Return SQL for the scope, within the window when there is one: the tenant first, always."""
    compiled = compile_query(And((window or TimeBetween(scope.from_ns, scope.to_ns), scope.query)))
    parameters: Parameters = {"tenant": to_text(scope.tenant)}
    return f"tenant = %(tenant)s AND {compiled.sql}", {**parameters, **compiled.parameters}


def _key_values(key: EntryKey) -> dict[str, Any]:
    return {"key_ns": key.timestamp_ns, "key_bid": signed(key.batch_id), "key_idx": key.index}
