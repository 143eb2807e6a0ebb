"""Patterns of one tenant with counts in a scope: groups of the catalogue joined with what the entries say."""

from collections.abc import Sequence
from typing import Any

from zero.application.ports import Order, PatternCount, PatternQuery, PatternSeries, PatternTally, Scope
from zero.domain.entry import Level
from zero.domain.pattern import Pattern
from zero.domain.query import TimeBetween
from zero.infrastructure.clickhouse.patterns import PATTERN_COLUMNS, read_pattern
from zero.infrastructure.clickhouse.query_compiler import MEMBERS
from zero.infrastructure.clickhouse.reader import ClickHouseReader, scope_condition
from zero.infrastructure.clickhouse.rows import read_json_rows

_OF_TENANT = "FROM patterns FINAL WHERE tenant = {tenant:String}"
_GROUPS = f"SELECT pattern_id, group_id, min(first_seen) OVER (PARTITION BY group_id) AS appeared {_OF_TENANT}"
_NAMED = f"SELECT pattern_id, group_id {_OF_TENANT} AND group_id IN {{groups:Array(UInt64)}}"
_ORDERS: dict[Order, str] = {
    "frequent": "entries DESC, group_id",
    "rare": "entries, group_id",
    "new": "appeared DESC, group_id",
}


class ClickHousePatternReader:
    """Implements PatternReader over the queries, and within the bounds, of a ClickHouseReader."""

    def __init__(self, reader: ClickHouseReader) -> None:
        self._reader = reader

    async def count(self, query: PatternQuery) -> Sequence[PatternCount]:
        """Count by pattern, which is in the sort key; then by group, of which there are few."""
        condition, parameters = _condition(query.scope)
        parameters["limit"] = query.limit
        narrowed, having = _GROUPS, ""
        if query.group_ids is not None:
            parameters["groups"] = list(query.group_ids)
            narrowed += " AND group_id IN {groups:Array(UInt64)}"
        if query.new_since_ns is not None:
            parameters["new_since"] = query.new_since_ns
            having = "WHERE first >= fromUnixTimestamp64Nano({new_since:Int64}, 'UTC') "
        sql = (
            "SELECT group_id, sum(counted) AS entries, toUnixTimestamp64Nano(any(first)) AS appeared,"
            f" toUnixTimestamp64Nano(max(last)) FROM ({_joined(condition, narrowed)}) {having}"
            f"GROUP BY group_id ORDER BY {_ORDERS[query.order]} LIMIT {{limit:UInt32}}"
        )
        rows = list(read_json_rows(await self._reader.ask(sql, parameters)))
        texts = await self._texts(query.scope.tenant, [int(row[0]) for row in rows])
        found = []
        for group_id, count, first_ns, last_ns in rows:
            text, example = texts.get(int(group_id), ("", ""))
            found.append(PatternCount(int(group_id), text, example, int(count), int(first_ns), int(last_ns)))
        return found

    async def tallies(self, scope: Scope, group_ids: Sequence[int], step_ns: int) -> Sequence[PatternTally]:
        """Read only the entries of the groups' patterns."""
        if not group_ids:
            return []
        condition, parameters = _condition(scope)
        parameters |= {"groups": list(group_ids), "start": scope.from_ns or 0, "step": step_ns}
        sql = (
            "SELECT group_id, slot, severity, app_id, sum(counted) FROM (SELECT pattern_id, app_id, toInt8(level) AS severity,"
            f" {_SLOT} AS slot, count() AS counted FROM logs WHERE {condition}"
            f" AND pattern_id GLOBAL IN (SELECT pattern_id FROM ({_NAMED}))"
            f" GROUP BY pattern_id, app_id, severity, slot) AS counts GLOBAL INNER JOIN ({_NAMED}) AS groups USING (pattern_id)"
            " GROUP BY group_id, slot, severity, app_id ORDER BY group_id, slot, severity, app_id"
        )
        rows = read_json_rows(await self._reader.ask(sql, parameters))
        start_ns = scope.from_ns or 0
        return [
            PatternTally(int(group_id), start_ns + int(slot) * step_ns, Level(level), app_id, int(count))
            for group_id, slot, level, app_id, count in rows
        ]

    async def series(self, scope: Scope, step_ns: int, limit: int) -> Sequence[PatternSeries]:
        """Count by pattern and step, then by group."""
        condition, parameters = _condition(scope)
        start_ns = scope.from_ns or 0
        parameters |= {"start": start_ns, "step": step_ns, "limit": limit}
        counts = f"SELECT pattern_id, {_SLOT} AS slot, count() AS counted FROM logs WHERE {condition} GROUP BY pattern_id, slot"
        sql = (
            "SELECT group_id, toUnixTimestamp64Nano(any(appeared)), groupArray((slot, entries)) FROM"
            " (SELECT group_id, slot, any(appeared) AS appeared, sum(counted) AS entries"
            f" FROM ({counts}) AS counts GLOBAL INNER JOIN ({_GROUPS}) AS groups USING (pattern_id) GROUP BY group_id, slot)"
            " GROUP BY group_id ORDER BY sum(entries) DESC, group_id LIMIT {limit:UInt32}"
        )
        rows = list(read_json_rows(await self._reader.ask(sql, parameters)))
        texts = await self._texts(scope.tenant, [int(row[0]) for row in rows])
        found = []
        for group_id, first_ns, slots in rows:
            text, example = texts.get(int(group_id), ("", ""))
            by_step = {start_ns + int(slot) * step_ns: int(count) for slot, count in slots}
            found.append(PatternSeries(int(group_id), text, example, int(first_ns), by_step))
        return found

    async def members(self, tenant: str, group_id: int, limit: int) -> Sequence[Pattern]:
        """Read the group of the pattern."""
        parameters = {"tenant": tenant, "pattern": group_id, "limit": limit}
        wanted = MEMBERS.format("{pattern:UInt64}")
        sql = (
            f"SELECT {PATTERN_COLUMNS} {_OF_TENANT} AND pattern_id GLOBAL IN ({wanted})"
            " ORDER BY count DESC, pattern_id LIMIT {limit:UInt32}"
        )
        return [read_pattern(row) for row in read_json_rows(await self._reader.ask(sql, parameters))]

    async def extent(self, tenant: str) -> tuple[int, int] | None:
        """Ask the catalogue, which is small."""
        sql = f"SELECT toUnixTimestamp64Nano(min(first_seen)), toUnixTimestamp64Nano(max(last_seen)), count() {_OF_TENANT}"
        first_ns, last_ns, count = next(read_json_rows(await self._reader.ask(sql, {"tenant": tenant})))
        return (int(first_ns), int(last_ns)) if int(count) else None

    async def _texts(self, tenant: str, group_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return what stands for each group: its text, and the message of its earliest pattern."""
        if not group_ids:
            return {}
        sql = (
            "SELECT group_id, argMin((group_text, example), (first_bid, first_idx))"
            f" {_OF_TENANT} AND group_id IN {{groups:Array(UInt64)}} GROUP BY group_id"
        )
        rows = read_json_rows(await self._reader.ask(sql, {"tenant": tenant, "groups": list(group_ids)}))
        return {int(group_id): (text, example) for group_id, (text, example) in rows}


_SLOT = "intDiv(toUnixTimestamp64Nano(timestamp) - {start:Int64}, {step:Int64})"


def _joined(condition: str, groups: str) -> str:
    """Return SQL for (group_id, counted, first, last) of each pattern: ``first`` is when its group was first seen."""
    counts = f"SELECT pattern_id, count() AS counted, max(timestamp) AS latest FROM logs WHERE {condition} GROUP BY pattern_id"
    return (
        "SELECT group_id, counted, groups.appeared AS first, latest AS last"
        f" FROM ({counts}) AS counts GLOBAL INNER JOIN ({groups}) AS groups USING (pattern_id)"
    )


def _condition(scope: Scope) -> tuple[str, dict[str, Any]]:
    return scope_condition(scope, TimeBetween(scope.from_ns, scope.to_ns))
