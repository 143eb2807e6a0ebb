"""The catalogue of patterns, as the one who keeps it sees it: all tenants, with all rights of the writer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from zero.application.ports import PatternFigures, Sighting
from zero.domain.pattern import Pattern
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.worker import ClickHouseWorker, insert_rows, look_up, new_version, query_rows

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
    """Implements PatternStore over a worker of its own."""

    def __init__(self, options: ClickHouseOptions) -> None:
        self._worker = ClickHouseWorker(options, "clickhouse-patterns")

    async def newest_batch_id(self) -> int:
        """Read it from the parts' own figures."""
        return int((await self._worker.run(query_rows, "SELECT max(_bid) FROM logs", {}))[0][0])

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        """Group what arrived since, leave out what is known, and fetch the messages of the rest by identity."""
        arrived = " WHERE _bid >= {since:UInt64}" if since_batch_id else ""
        grouped = f"SELECT tenant, pattern_id, {FIGURES} FROM logs{arrived} GROUP BY tenant, pattern_id"
        sql = f"SELECT * FROM ({grouped}) AS found GLOBAL LEFT ANTI JOIN {_CATALOGUED} ORDER BY earliest LIMIT {{limit:UInt32}}"
        rows = await self._worker.run(query_rows, sql, {"since": since_batch_id, "limit": limit})
        messages: dict[tuple[str, int, int], str] = {}
        for start in range(0, len(rows), _MESSAGES_AT_ONCE):
            identities = [_identity(row[2]) for row in rows[start : start + _MESSAGES_AT_ONCE]]
            messages |= await self._worker.run(look_up, "message", identities)
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
        rows = await self._worker.run(query_rows, sql, {"since": since_version, "limit": limit})
        return [read_pattern(row[:-1]) for row in rows], int(rows[-1][-1]) if rows else since_version

    async def put(self, patterns: Sequence[Pattern]) -> None:
        """Insert a version of each that replaces the former ones."""
        for start in range(0, len(patterns), _ROWS_AT_ONCE):
            version = new_version()
            rows = [_line(pattern, version) for pattern in patterns[start : start + _ROWS_AT_ONCE]]
            await self._worker.run(insert_rows, "patterns", _INSERTED, rows)

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        """Add up what is counted beforehand."""
        found = f"SELECT tenant, pattern_id, {FIGURES} FROM logs GROUP BY tenant, pattern_id"
        rows = await self._worker.run(query_rows, f"SELECT * FROM ({found}) AS found GLOBAL LEFT SEMI JOIN {_CATALOGUED}", {})
        return {(row[0], int(row[1])): PatternFigures(_identity(row[2]), *(int(value) for value in row[3:])) for row in rows}

    async def close(self) -> None:
        """Close the connection once the running call has ended."""
        await self._worker.close()


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
