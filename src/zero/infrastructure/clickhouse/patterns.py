"""The catalogue of patterns, as the one who keeps it sees it: all tenants, with all rights of the writer."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from zero.application.ports import PatternFigures, Sighting
from zero.domain.pattern import Pattern
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.errors import translate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.rows import read_json_rows

Result = TypeVar("Result")

_MESSAGES_AT_ONCE = 64  # of at most 256 KiB each
_ROWS_AT_ONCE = 2_000
# The projection ``counts`` knows these of each pattern.
FIGURES = (
    "min(toUInt128(_bid) * 4294967296 + _idx) AS earliest, toUnixTimestamp64Nano(min(timestamp)), "
    "toUnixTimestamp64Nano(max(timestamp)), "
    "toUnixTimestamp64Milli(max(received_at)), count()"
)
# What ``read_pattern`` expects, in this order.
PATTERN_COLUMNS = (
    "tenant, pattern_id, text, example, first_bid, first_idx, group_id, group_text, toUnixTimestamp64Nano(first_seen), "
    "toUnixTimestamp64Nano(last_seen), toUnixTimestamp64Milli(received_at), count"
)
# A join: with a condition on what is catalogued the store would not take the projection.
_CATALOGUED = "(SELECT DISTINCT tenant, pattern_id FROM patterns) AS known USING (tenant, pattern_id)"
# It looks in the background: one thread of the server, and no more than this of its memory and time.
_BOUNDS = {
    "max_threads": 1,
    "max_memory_usage": 1 << 30,
    "max_execution_time": 60,
    "max_bytes_before_external_group_by": 256 << 20,
}
_INSERTED = (
    *("tenant", "pattern_id", "text", "example", "first_bid", "first_idx", "group_id", "group_text"),
    *("first_seen", "last_seen", "received_at", "count", "version"),
)


def read_pattern(row: Sequence[Any]) -> Pattern:
    """Return the pattern in a row of PATTERN_COLUMNS."""
    tenant, identity, text, example, batch_id, index, group_id, group_text, first_ns, last_ns, received_ms, count = row
    first = (int(batch_id), int(index))
    times = int(first_ns), int(last_ns), int(received_ms)
    return Pattern(tenant, int(identity), text, example, first, int(group_id), group_text, *times, int(count))


class ClickHousePatternStore:
    """Implements PatternStore over ``clickhouse-connect`` in one thread; connects at the first use."""

    def __init__(self, options: ClickHouseOptions) -> None:
        self._options = options
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clickhouse-patterns")

    async def newest_batch_id(self) -> int:
        """Read it from the parts' own figures."""
        return int((await self._run(self._rows, "SELECT max(_bid) FROM logs", {}))[0][0])

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        """Group what arrived since, leave out what is known, and fetch the messages of the rest by identity."""
        arrived = " WHERE _bid >= {since:UInt64}" if since_batch_id else ""
        grouped = f"SELECT tenant, pattern_id, {FIGURES} FROM logs{arrived} GROUP BY tenant, pattern_id"
        sql = f"SELECT * FROM ({grouped}) AS found GLOBAL LEFT ANTI JOIN {_CATALOGUED} ORDER BY earliest LIMIT {{limit:UInt32}}"
        rows = await self._run(self._rows, sql, {"since": since_batch_id, "limit": limit})
        messages: dict[tuple[str, int, int], str] = {}
        for start in range(0, len(rows), _MESSAGES_AT_ONCE):
            messages |= await self._run(self._messages, [_identity(row[2]) for row in rows[start : start + _MESSAGES_AT_ONCE]])
        found = []
        for tenant, identity, first, *figures in rows:
            message = messages.get((tenant, *_identity(first)))
            if message is not None:  # else it is due, and gone meanwhile
                found.append(Sighting(tenant, int(identity), message, _identity(first), *map(int, figures)))
        return found

    async def known(self, since_version: int, limit: int) -> tuple[Sequence[Pattern], int]:
        """Read rows in the order of their versions, former versions included; those of one version are never split."""
        sql = (
            f"SELECT {PATTERN_COLUMNS}, version FROM patterns WHERE version > {{since:UInt64}}"
            " ORDER BY version LIMIT {limit:UInt32} WITH TIES"
        )
        rows = await self._run(self._rows, sql, {"since": since_version, "limit": limit})
        return [read_pattern(row[:-1]) for row in rows], int(rows[-1][-1]) if rows else since_version

    async def put(self, patterns: Sequence[Pattern]) -> None:
        """Insert a version of each that replaces the former ones."""
        for start in range(0, len(patterns), _ROWS_AT_ONCE):
            await self._run(self._put, patterns[start : start + _ROWS_AT_ONCE])

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        """Add up what is counted beforehand."""
        found = f"SELECT tenant, pattern_id, {FIGURES} FROM logs GROUP BY tenant, pattern_id"
        rows = await self._run(self._rows, f"SELECT * FROM ({found}) AS found GLOBAL LEFT SEMI JOIN {_CATALOGUED}", {})
        return {(row[0], int(row[1])): PatternFigures(_identity(row[2]), *(int(value) for value in row[3:])) for row in rows}

    async def close(self) -> None:
        """Close the connection once the running call has ended."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    async def _run(self, step: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, step, arguments)

    def _guarded(self, step: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        try:
            if self._client is None:
                self._client = connect_writer(self._options)
            return step(self._client, *arguments)
        except (ClickHouseError, OSError) as error:
            raise translate(error) from error

    @staticmethod
    def _rows(client: Client, sql: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
        known = client.server_settings
        bounds = {name: value for name, value in _BOUNDS.items() if name in known and not known[name].readonly}
        return list(read_json_rows(client.raw_query(sql, dict(parameters), settings=bounds, fmt="JSONCompactEachRow")))

    @classmethod
    def _messages(cls, client: Client, identities: Sequence[tuple[int, int]]) -> dict[tuple[str, int, int], str]:
        batch_ids, indexes = [batch_id for batch_id, _ in identities], [index for _, index in identities]
        parameters = {"bids": batch_ids, "idxs": indexes, "low": min(batch_ids), "high": max(batch_ids)}
        sql = (
            "SELECT tenant, _bid, _idx, message FROM logs WHERE _bid BETWEEN {low:UInt64} AND {high:UInt64}"
            " AND (_bid, _idx) IN (SELECT arrayJoin(arrayZip({bids:Array(UInt64)}, {idxs:Array(UInt32)})))"
        )
        rows = cls._rows(client, sql, parameters)
        return {(tenant, int(batch_id), int(index)): message for tenant, batch_id, index, message in rows}

    @staticmethod
    def _put(client: Client, patterns: Sequence[Pattern]) -> None:
        version = time.time_ns() // 1000
        rows = "\n".join(_line(pattern, version) for pattern in patterns)
        client.raw_insert("patterns", _INSERTED, rows.encode(), {"async_insert": 0}, fmt="JSONCompactEachRow")


def _identity(number: Any) -> tuple[int, int]:
    """Return (batch id, index) of ``earliest``."""
    return divmod(int(number), 1 << 32)


def _line(pattern: Pattern, version: int) -> str:
    times = [_decimal(pattern.first_seen_ns, 9), _decimal(pattern.last_seen_ns, 9), _decimal(pattern.received_ms, 3)]
    texts = [pattern.tenant, pattern.id, pattern.text, pattern.example, *pattern.first, pattern.group_id, pattern.group_text]
    return json.dumps([*texts, *times, pattern.count, version])


def _decimal(number: int, places: int) -> str:
    """Return the number of units of 10**-places seconds as a decimal number of seconds."""
    return f"{number // 10**places}.{number % 10**places:0{places}d}"
