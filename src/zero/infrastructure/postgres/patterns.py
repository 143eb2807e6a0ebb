"""The catalogue of patterns, as the one who keeps it sees it: all tenants, with all rights of the writer."""

import time
from collections.abc import Mapping, Sequence

from zero.application.ports import PatternFigures, Sighting
from zero.domain.pattern import Pattern
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.rows import Row
from zero.infrastructure.postgres.values import from_text, signed, to_text, unsigned
from zero.infrastructure.postgres.worker import PostgresWorker

_MESSAGES_AT_ONCE = 64  # of at most 256 KiB each
_ROWS_AT_ONCE = 2_000
_FIGURES = "min(ARRAY[bid, idx]), min(timestamp_ns), max(timestamp_ns), max(received_ms), count(*)"
# What ``read_pattern`` expects, in this order.
PATTERN_COLUMNS = (
    "tenant, pattern_id, text, example, first_bid, first_idx, group_id, group_text, first_seen_ns, last_seen_ns, received_ms, "
    "count"
)
_PATTERNS = f"INSERT INTO patterns ({PATTERN_COLUMNS}, version) VALUES ({', '.join(['%s'] * 13)})"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in [*PATTERN_COLUMNS.split(", ")[2:], "version"])
_PUT = f"{_PATTERNS} ON CONFLICT (tenant, pattern_id) DO UPDATE SET {_REPLACED} WHERE patterns.version <= excluded.version"
_CATALOGUED = "EXISTS (SELECT FROM patterns WHERE patterns.tenant = logs.tenant AND patterns.pattern_id = logs.pattern_id)"


def read_pattern(row: Row) -> Pattern:
    """Return the pattern in a row of PATTERN_COLUMNS."""
    tenant, identity, text, example, batch_id, index, group_id, group_text, *figures = row
    texts = from_text(text), from_text(example)
    first = unsigned(batch_id), index
    return Pattern(from_text(tenant), unsigned(identity), *texts, first, unsigned(group_id), from_text(group_text), *figures)


class PostgresPatternStore:
    """Implements PatternStore over a worker of its own."""

    def __init__(self, options: PostgresOptions) -> None:
        self._worker = PostgresWorker(options)

    async def newest_batch_id(self) -> int:
        """Read it from the end of the index."""
        newest = (await self._worker.run("SELECT max(bid) FROM logs", {}))[0][0]
        return 0 if newest is None else unsigned(newest)

    async def unknown(self, since_batch_id: int, limit: int) -> Sequence[Sighting]:
        """Group what arrived since, leave out what is known, and fetch the messages of the rest by identity."""
        sql = (
            f"SELECT tenant, pattern_id, {_FIGURES} FROM logs WHERE bid >= %(since)s AND NOT {_CATALOGUED}"
            " GROUP BY tenant, pattern_id ORDER BY min(ARRAY[bid, idx]) LIMIT %(limit)s"
        )
        rows = await self._worker.run(sql, {"since": signed(since_batch_id), "limit": limit})
        messages: dict[tuple[str, int, int], str] = {}
        for start in range(0, len(rows), _MESSAGES_AT_ONCE):
            messages |= await self._messages([row[2] for row in rows[start : start + _MESSAGES_AT_ONCE]])
        found = []
        for tenant, identity, (batch_id, index), *figures in rows:
            message = messages.get((tenant, batch_id, index))
            if message is not None:  # else it is due, and gone meanwhile
                first = unsigned(batch_id), index
                found.append(Sighting(from_text(tenant), unsigned(identity), from_text(message), first, *figures))
        return found

    async def known(self, since_version: int, limit: int) -> tuple[Sequence[Pattern], int]:
        """Read rows in the order of their versions; those of one version are never split."""
        sql = (
            f"SELECT {PATTERN_COLUMNS}, version FROM patterns WHERE version > %(since)s"
            " ORDER BY version FETCH FIRST %(limit)s ROWS WITH TIES"
        )
        rows = await self._worker.run(sql, {"since": since_version, "limit": limit})
        return [read_pattern(row[:-1]) for row in rows], rows[-1][-1] if rows else since_version

    async def put(self, patterns: Sequence[Pattern]) -> None:
        """Put or replace, in the order of the keys, so that two who do so at once wait for each other instead of failing."""
        version = time.time_ns() // 1000
        rows = sorted((_row(pattern, version) for pattern in patterns), key=lambda row: row[:2])
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            await self._worker.run_many(_PUT, rows[start : start + _ROWS_AT_ONCE])

    async def figures(self) -> Mapping[tuple[str, int], PatternFigures]:
        """Group all of the table."""
        sql = f"SELECT tenant, pattern_id, {_FIGURES} FROM logs WHERE {_CATALOGUED} GROUP BY tenant, pattern_id"
        rows = await self._worker.run(sql, {})
        return {
            (from_text(tenant), unsigned(identity)): PatternFigures((unsigned(first[0]), first[1]), *figures)
            for tenant, identity, first, *figures in rows
        }

    async def close(self) -> None:
        """Close the connection."""
        await self._worker.close()

    async def _messages(self, identities: Sequence[tuple[int, int]]) -> dict[tuple[str, int, int], str]:
        parameters = {"bids": [batch_id for batch_id, _ in identities], "idxs": [index for _, index in identities]}
        wanted = "SELECT * FROM unnest(%(bids)s::bigint[], %(idxs)s::bigint[])"
        rows = await self._worker.run(f"SELECT tenant, bid, idx, message FROM logs WHERE (bid, idx) IN ({wanted})", parameters)
        return {(tenant, batch_id, index): message for tenant, batch_id, index, message in rows}


def _row(pattern: Pattern, version: int) -> Row:
    texts = to_text(pattern.text), to_text(pattern.example)
    batch_id, index = pattern.first
    group = signed(pattern.group_id), to_text(pattern.group_text)
    seen = pattern.first_seen_ns, pattern.last_seen_ns, pattern.received_ms
    return to_text(pattern.tenant), signed(pattern.id), *texts, signed(batch_id), index, *group, *seen, pattern.count, version
