"""Searching the store: bound parameters only, the tenant in every query, a bound on time, memory and rows."""

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from zero.application.ports import Scope, StoreFigures, Tally
from zero.application.sql_condition import FACET_COLUMNS
from zero.application.tracing import step, traceparent
from zero.application.windows import WINDOWS_NS, backwards, forwards
from zero.domain.batch_id import batch_id, batch_id_ms
from zero.domain.entry import EntryLimits, Level
from zero.domain.errors import Overloaded, QueryTooExpensive, ZeroError
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from zero.domain.ledger import MILLISECONDS_PER_DAY
from zero.domain.query import And, Field, HasId, HasWord, Is, Node, TimeBetween
from zero.domain.stored import EntryKey, StoredEntry
from zero.infrastructure.clickhouse.connection import permitted, trace_headers
from zero.infrastructure.clickhouse.counts import FIVE_MINUTES, MINUTE, counted, scope_condition
from zero.infrastructure.clickhouse.errors import FOREIGN, error_code, translate
from zero.infrastructure.clickhouse.identities import among
from zero.infrastructure.clickhouse.rows import ENTRY_COLUMNS, read_entries, read_json_rows

COUNTED_FIELDS = ("app_id", "level")
EXTENT_SECONDS = 10.0
STOP_PAUSES_SECONDS = (0.05, 0.2, 1.0)
TRACE_ID = Field("trace_id")
NEWEST_FIRST = "ORDER BY timestamp DESC, _bid DESC, _idx DESC"
OLDEST_FIRST = "ORDER BY timestamp, _bid, _idx"
_PLACE = "(timestamp, _bid, _idx)"
_KEY = "(fromUnixTimestamp64Nano({key_ns:Int64}, 'UTC'), {key_bid:UInt64}, {key_idx:UInt32})"
# ClickHouse: too many rows, timeout exceeded, memory limit, too many bytes, result too large.
_TOO_EXPENSIVE = frozenset({158, 159, 160, 241, 307, 396})


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """Bounds of reading. Queries beyond ``queries_max`` wait; beyond ``waiting_max`` waiting ones they are refused.

    ``cluster`` is the one over which the tables are distributed.
    """

    queries_max: int = 4
    waiting_max: int = 64
    rows_read_max: int = 4_000_000_000
    result_bytes_max: int = 64 * 1024 * 1024
    memory_bytes_max: int = 1024 * 1024 * 1024
    query_seconds_max: float = 20.0
    cluster: str | None = None

    def settings(self, client: Client) -> dict[str, Any]:
        """Return the bounds as settings of one query; where the user may set none, its own profile bounds it."""
        bounds = {
            "max_execution_time": self.query_seconds_max,
            "max_memory_usage": self.memory_bytes_max,
            "max_rows_to_read": self.rows_read_max,
            "max_result_bytes": self.result_bytes_max,
        }
        return permitted(client, bounds)


class ClickHouseReader:
    """Implements LogReader over ``clickhouse-connect``.

    ``connect`` is called once, in a worker thread, when the first query comes; the client it gives has to be a read-only user's
    and safe to share between threads (no session id).
    """

    def __init__(self, connect: Callable[[], Client], options: ReaderOptions | None = None) -> None:
        self._connect = connect
        self._options = options or ReaderOptions()
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._free = asyncio.Semaphore(self._options.queries_max)
        self._waiting = 0
        self._extent = 0.0, (0, 0)
        self._threads = ThreadPoolExecutor(self._options.queries_max, thread_name_prefix="clickhouse-reader")
        self._stops = ThreadPoolExecutor(1, thread_name_prefix="clickhouse-stops")

    async def latest(self, scope: Scope, limit: int, before: EntryKey | None = None) -> Sequence[StoredEntry]:
        """Look backwards in growing windows of time until the page is full."""
        to_ns = scope.to_ns
        if before is not None:
            to_ns = before.timestamp_ns + 1 if to_ns is None else min(to_ns, before.timestamp_ns + 1)
        found: list[StoredEntry] = []
        for window in backwards(scope.from_ns, to_ns, await self.extent(), looks(scope.query)):
            condition, parameters = scope_condition(scope, window)
            if before is not None:
                condition += f" AND {_PLACE} < {_KEY}"
                parameters |= _key_values(before)
            parameters["limit"] = limit - len(found)
            sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE {condition} {NEWEST_FIRST} LIMIT {{limit:UInt32}}"
            found += read_entries(await self.ask(sql, parameters))
            if len(found) >= limit:
                break
        return found

    async def earliest(self, scope: Scope, limit: int, after: EntryKey) -> Sequence[StoredEntry]:
        """Look forwards in growing windows of time until there are enough."""
        from_ns = max(scope.from_ns or 0, after.timestamp_ns)
        found: list[StoredEntry] = []
        for window in forwards(from_ns, scope.to_ns, await self.extent(), looks(scope.query)):
            condition, parameters = scope_condition(scope, window)
            parameters |= {**_key_values(after), "limit": limit - len(found)}
            sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE {condition} AND {_PLACE} > {_KEY} {OLDEST_FIRST}"
            found += read_entries(await self.ask(f"{sql} LIMIT {{limit:UInt32}}", parameters))
            if len(found) >= limit:
                break
        return found

    async def arrivals(self, scope: Scope, since_batch_id: int, limit: int) -> Sequence[tuple[int, int]]:
        """Select by batch id, which grows with the time of receipt; the partitions it can lie in are named by time."""
        limits = EntryLimits()
        earliest_ms = batch_id_ms(since_batch_id) - limits.past_days * MILLISECONDS_PER_DAY
        window = TimeBetween(max(0, earliest_ms) * NANOSECONDS_PER_MILLISECOND, None)
        condition, parameters = scope_condition(scope, window)
        parameters |= {"since": since_batch_id, "limit": limit}
        sql = f"SELECT _bid, _idx FROM logs WHERE {condition} AND _bid >= {{since:UInt64}}"
        data = await self.ask(f"{sql} ORDER BY _bid DESC, _idx DESC LIMIT {{limit:UInt32}}", parameters)
        return [(int(bid), int(index)) for bid, index in read_json_rows(data)]

    async def entries(self, tenant: str, identities: Sequence[tuple[int, int]]) -> Sequence[StoredEntry]:
        """Fetch whole entries by identity."""
        if not identities:
            return []
        condition, parameters = among(identities)
        sql = f"SELECT {ENTRY_COLUMNS} FROM logs WHERE tenant = {{tenant:String}} AND {condition} ORDER BY _bid, _idx"
        return read_entries(await self.ask(sql, {"tenant": tenant, **parameters}))

    async def histogram(self, scope: Scope, step_seconds: int) -> Sequence[Tally]:
        """Count by step and level."""
        bucket = FIVE_MINUTES if step_seconds % FIVE_MINUTES.seconds == 0 else MINUTE
        moment = bucket.sql if step_seconds % bucket.seconds == 0 else "timestamp"
        start = f"intDiv(toUnixTimestamp({moment}), {{step:UInt32}}) * {{step:UInt32}}"
        keys = {"start": start, "severity": "toInt8(level)"}
        sql, parameters = counted(scope, keys, {"entries": ("count()", "sum")}, bucket)
        sql, parameters = f"{sql} ORDER BY start, severity", {**parameters, "step": step_seconds}
        rows = read_json_rows(await self.ask(sql, parameters))
        return [Tally(int(start) * NANOSECONDS_PER_SECOND, Level(level), int(count)) for start, level, count in rows]

    async def facets(self, scope: Scope, fields: Sequence[str], limit: int) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Count by value: in one query what is counted beforehand, in another one what is not."""
        known, others = (
            [field for field in fields if field in COUNTED_FIELDS],
            [field for field in fields if field not in COUNTED_FIELDS],
        )
        found = await asyncio.gather(self._values(scope, known, limit), self._values(scope, others, limit))
        return {field: (found[0] | found[1]).get(field, []) for field in fields}

    async def _values(self, scope: Scope, fields: Sequence[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return the most frequent values of each field."""
        if not fields:
            return {}
        columns = [FACET_COLUMNS[field] for field in fields]
        if columns[0] in COUNTED_FIELDS:
            counts, parameters = counted(scope, {column: column for column in columns}, {"entries": ("count()", "sum")})
            source, entries = f"({counts})", "sum(entries)"
        else:
            condition, parameters = scope_condition(scope, await self._bounds(scope))
            source, entries = f"logs WHERE {condition}", "count()"
        sets = ", ".join(f"({column})" for column in columns)
        of = ", ".join(f"grouping({column}) = 0, ('{column}', toString({column}))" for column in columns)
        sql = (
            f"SELECT multiIf({of}, ('', '')) AS one, {entries} AS counted FROM {source} GROUP BY GROUPING SETS ({sets})"
            " ORDER BY counted DESC, one.2 LIMIT {limit:UInt32} BY one.1"
        )
        values: dict[str, list[tuple[str, int]]] = {}
        for (field, value), count in read_json_rows(await self.ask(sql, {**parameters, "limit": limit})):
            values.setdefault(field, []).append((value, int(count)))
        return values

    async def _bounds(self, scope: Scope) -> TimeBetween:
        """Return the times of the scope, without those that leave nothing out: comparing times costs as much as counting."""
        oldest_ns, newest_ns = await self.extent(age_seconds_max=0.0)
        from_ns = None if scope.from_ns is None or scope.from_ns <= oldest_ns else scope.from_ns
        to_ns = None if scope.to_ns is None or scope.to_ns > newest_ns else scope.to_ns
        return TimeBetween(from_ns, to_ns)

    async def figures(self, tenant: str, now_ns: int) -> StoreFigures:
        """Count what is stored; the last minute is told by batch ids."""
        sql = "SELECT app_id, toInt8(level), count() FROM logs WHERE tenant = {tenant:String} GROUP BY app_id, level"
        by_app: dict[str, int] = {}
        by_level: dict[Level, int] = {}
        for app_id, level, count in read_json_rows(await self.ask(sql, {"tenant": tenant})):
            by_app[app_id] = by_app.get(app_id, 0) + int(count)
            by_level[Level(level)] = by_level.get(Level(level), 0) + int(count)
        since = batch_id(max(0, now_ns // NANOSECONDS_PER_MILLISECOND - 60_000), 0, 0)
        recent_sql = "SELECT count() FROM logs WHERE tenant = {tenant:String} AND _bid >= {since:UInt64}"
        recent = await self._number(recent_sql, {"tenant": tenant, "since": since})
        return StoreFigures(sum(by_app.values()), by_app, by_level, recent, await self._disk_bytes())

    async def _disk_bytes(self) -> int:
        """Count one replica of each shard. Another server has no idea which database is asked for."""
        parts, table = "system.parts", "logs"
        if self._options.cluster is not None:
            parts, table = f"cluster('{self._options.cluster}', system.parts)", "logs_local"
        database = next(read_json_rows(await self.ask("SELECT currentDatabase()", {})))[0]
        sql = f"SELECT sum(bytes_on_disk) FROM {parts} WHERE active AND database = {{database:String}} AND table = '{table}'"
        return await self._number(sql, {"database": database})

    async def rows(self) -> Mapping[str, int]:
        """Count every tenant's entries."""
        data = await self.ask("SELECT tenant, count() FROM logs GROUP BY tenant", {})
        return {tenant: int(count) for tenant, count in read_json_rows(data)}

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Count every tenant's entries by the day that retention counts from."""
        sql = "SELECT tenant, toInt32(toDate32(received_at)) AS day, count() FROM logs GROUP BY tenant, day"
        return {(tenant, int(day)): int(count) for tenant, day, count in read_json_rows(await self.ask(sql, {}))}

    async def ping(self) -> None:
        """Ask for a row of the table, so that a missing migration shows as well."""
        await self.ask("SELECT 1 FROM logs LIMIT 1", {})

    async def close(self) -> None:
        """Close the connections once running queries have ended."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._stops.shutdown, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    async def extent(self, age_seconds_max: float = EXTENT_SECONDS) -> tuple[int, int]:
        """Return the oldest and newest timestamp of any tenant; when some seconds old, a place to begin and never a bound."""
        asked, extent = self._extent
        if not extent[1] or time.monotonic() - asked > age_seconds_max:
            asked = time.monotonic()
            sql = "SELECT toUnixTimestamp64Nano(min(timestamp)), toUnixTimestamp64Nano(max(timestamp)) FROM logs"
            oldest_ns, newest_ns = next(read_json_rows(await self.ask(sql, {})))
            self._extent = asked, (int(oldest_ns), int(newest_ns))
        return self._extent[1]

    async def _number(self, sql: str, parameters: Mapping[str, Any]) -> int:
        return int(next(read_json_rows(await self.ask(sql, parameters)))[0])

    async def ask(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the answer as JSONCompactEachRow, within the bounds; ``sql`` is text of this package, never a user's."""
        if self._waiting >= self._options.waiting_max:
            raise Overloaded("too many searches at once")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            with step("store query"):
                return await self._run(sql, parameters)
        finally:
            self._free.release()

    async def _run(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._connecting:
            if self._client is None:
                self._client = await loop.run_in_executor(self._threads, self._open)
        query_id = f"zero-{uuid.uuid4()}"
        asked = self._threads.submit(self._ask, self._client, sql, parameters, query_id, trace_headers(traceparent()))
        try:
            return await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            if not asked.done():
                self._stops.submit(self._stop, self._client, query_id, asked)
            raise

    def _open(self) -> Client:
        try:
            return self._connect()
        except FOREIGN as error:
            raise _translate(error) from error

    def _ask(
        self, client: Client, sql: str, parameters: Mapping[str, Any], query_id: str, headers: dict[str, str] | None
    ) -> bytes:
        given: dict[str, Any] = {
            "settings": {**self._options.settings(client), "query_id": query_id},
            "transport_settings": headers,
        }
        try:
            return client.raw_query(sql, dict(parameters), fmt="JSONCompactEachRow", **given)
        except FOREIGN as error:
            raise _translate(error) from error

    @staticmethod
    def _stop(client: Client, query_id: str, asked: "Future[bytes]") -> None:
        """Have the store end a query that nobody waits for; it may not have begun yet, so try again for a while."""
        for pause_seconds in STOP_PAUSES_SECONDS:
            with suppress(*FOREIGN):
                client.command("KILL QUERY WHERE query_id = {id:String} ASYNC", {"id": query_id})
            if wait([asked], pause_seconds).done:
                return


def _key_values(key: EntryKey) -> dict[str, Any]:
    return {"key_ns": key.timestamp_ns, "key_bid": key.batch_id, "key_idx": key.index}


def looks(query: Node) -> Sequence[int]:
    """Return how far back to look before everything is: not at all for an identity, once for a word, which may be rare."""
    terms = query.children if isinstance(query, And) else (query,)
    if any(isinstance(term, HasId) or (isinstance(term, Is) and term.field == TRACE_ID) for term in terms):
        return ()
    return WINDOWS_NS[: 1 if any(isinstance(term, HasWord) for term in terms) else None]


def _translate(error: Exception) -> ZeroError:
    if error_code(error) in _TOO_EXPENSIVE:
        return QueryTooExpensive("the search passes a limit of time, memory or rows: narrow the time range or the page")
    return translate(error)
