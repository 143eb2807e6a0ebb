"""Patterns of one tenant with counts in a scope: groups of the catalogue joined with what the entries say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zero.application.ports import BUCKET_NS, Order, PatternCount, PatternQuery, PatternSeries, PatternTally, Scope, Steps
from zero.domain.entry import Level
from zero.domain.instant import NANOSECONDS_PER_SECOND
from zero.domain.pattern import Pattern
from zero.domain.query import And, OfPatterns
from zero.infrastructure.clickhouse.counts import FIVE_MINUTES, counted
from zero.infrastructure.clickhouse.patterns import PATTERN_COLUMNS, read_pattern
from zero.infrastructure.clickhouse.query_compiler import MEMBERS
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.clickhouse.rows import read_json_rows

_OF_TENANT = "FROM patterns FINAL WHERE tenant = {tenant:String}"
_GROUPS = f"SELECT pattern_id, group_id, min(first_seen) OVER (PARTITION BY group_id) AS appeared {_OF_TENANT}"
_NAMED = f"SELECT pattern_id, group_id {_OF_TENANT} AND group_id IN {{groups:Array(UInt64)}}"
_MEMBERS_MAX = 5_000  # of more it is cheaper to count all than to name them
_COUNT = {"counted": ("count()", "sum")}
_LATEST = {"latest": ("max(timestamp)", "max")}
_ORDERS: dict[Order, str] = {
    "frequent": "entries DESC, group_id",
    "rare": "entries, group_id",
    "new": "appeared_ns DESC, group_id",
}


class ClickHousePatternReader:
    """Implements PatternReader over the queries, and within the bounds, of a ClickHouseReader."""

    def __init__(self, reader: ClickHouseReader) -> None:
        self._reader = reader

    async def count(self, query: PatternQuery) -> Sequence[PatternCount]:
        """Count by pattern, which is in the sort key; then by group, of which there are few."""
        counts, parameters = counted(query.scope, {"pattern_id": "pattern_id"}, {**_COUNT, **_LATEST})
        parameters["limit"] = query.limit
        narrowed, having = _GROUPS, ""
        if query.group_ids is not None:
            parameters["groups"] = list(query.group_ids)
            narrowed += " AND group_id IN {groups:Array(UInt64)}"
        if query.new_since_ns is not None:
            parameters["new_since"] = query.new_since_ns
            having = "WHERE groups.appeared >= fromUnixTimestamp64Nano({new_since:Int64}, 'UTC') "
        sql = (
            "SELECT group_id, sum(counts.counted) AS entries, toUnixTimestamp64Nano(any(groups.appeared)) AS appeared_ns,"
            f" toUnixTimestamp64Nano(max(counts.latest)) FROM ({counts}) AS counts"
            f" GLOBAL INNER JOIN ({narrowed}) AS groups USING (pattern_id) {having}"
            f"GROUP BY group_id ORDER BY {_ORDERS[query.order]} LIMIT {{limit:UInt32}}"
        )
        rows = list(read_json_rows(await self._reader.ask(sql, parameters)))
        texts = await self.texts(query.scope.tenant, [int(row[0]) for row in rows])
        found = []
        for group_id, count, first_ns, last_ns in rows:
            text, example = texts.get(int(group_id), ("", ""))
            found.append(PatternCount(int(group_id), text, example, int(count), int(first_ns), int(last_ns)))
        return found

    async def tallies(self, scope: Scope, group_ids: Sequence[int], steps: Steps) -> Sequence[PatternTally]:
        """Read only the entries of the groups' patterns."""
        if not group_ids:
            return []
        members = await self._members(scope.tenant, group_ids)
        if len(members) <= _MEMBERS_MAX:
            scope = replace(scope, query=And((OfPatterns(members), scope.query)))
        keys = {"pattern_id": "pattern_id", "app": "app_id", "severity": "toInt8(level)", "slot": _slot(scope, steps)}
        counts, parameters = counted(scope, keys, _COUNT)
        parameters |= {"groups": list(group_ids), "start": steps.start_ns, "step": steps.step_ns}
        sql = (
            f"SELECT group_id, slot, severity, app, sum(counted) FROM ({counts}) AS counts"
            f" GLOBAL INNER JOIN ({_NAMED}) AS groups USING (pattern_id)"
            " GROUP BY group_id, slot, severity, app ORDER BY group_id, slot, severity, app"
        )
        rows = read_json_rows(await self._reader.ask(sql, parameters))
        return [
            PatternTally(int(group_id), steps.start_ns + int(slot) * steps.step_ns, Level(level), app_id, int(count))
            for group_id, slot, level, app_id, count in rows
        ]

    async def series(self, scope: Scope, steps: Steps, limit: int) -> Sequence[PatternSeries]:
        """Count by pattern and step, then by group."""
        counts, parameters = counted(scope, {"pattern_id": "pattern_id", "slot": _slot(scope, steps)}, _COUNT)
        parameters |= {"start": steps.start_ns, "step": steps.step_ns, "limit": limit}
        sql = (
            "SELECT group_id, toUnixTimestamp64Nano(any(appeared)), groupArray((slot, entries)) FROM"
            " (SELECT group_id, slot, any(appeared) AS appeared, sum(counted) AS entries"
            f" FROM ({counts}) AS counts GLOBAL INNER JOIN ({_GROUPS}) AS groups USING (pattern_id) GROUP BY group_id, slot)"
            " GROUP BY group_id ORDER BY sum(entries) DESC, group_id LIMIT {limit:UInt32}"
        )
        return [
            PatternSeries(
                int(group_id), int(first_ns), {steps.start_ns + int(slot) * steps.step_ns: int(count) for slot, count in slots}
            )
            for group_id, first_ns, slots in read_json_rows(await self._reader.ask(sql, parameters))
        ]

    async def _members(self, tenant: str, group_ids: Sequence[int]) -> frozenset[int]:
        parameters = {"tenant": tenant, "groups": list(group_ids), "limit": _MEMBERS_MAX + 1}
        sql = f"SELECT pattern_id FROM ({_NAMED}) LIMIT {{limit:UInt32}}"
        return frozenset(int(identity) for (identity,) in read_json_rows(await self._reader.ask(sql, parameters)))

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

    async def texts(self, tenant: str, group_ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
        """Take the message of each group's earliest pattern."""
        if not group_ids:
            return {}
        sql = (
            "SELECT group_id, argMin((group_text, example), (first_bid, first_idx))"
            f" {_OF_TENANT} AND group_id IN {{groups:Array(UInt64)}} GROUP BY group_id"
        )
        rows = read_json_rows(await self._reader.ask(sql, {"tenant": tenant, "groups": list(group_ids)}))
        return {int(group_id): (text, example) for group_id, (text, example) in rows}


def _slot(scope: Scope, steps: Steps) -> str:
    """Return SQL for the number of the step that an entry lies in: by whole five minutes if there are any."""
    from_ns, to_ns = scope.from_ns, scope.to_ns
    if from_ns is not None and to_ns is not None and steps.start_ns <= from_ns and to_ns <= steps.start_ns + steps.step_ns:
        return "toInt64(0)"
    moment = "toUnixTimestamp64Nano(timestamp)"
    if steps.start_ns % BUCKET_NS == steps.step_ns % BUCKET_NS == 0:
        moment = f"toInt64(toUnixTimestamp({FIVE_MINUTES.sql})) * {NANOSECONDS_PER_SECOND}"
    return f"intDiv({moment} - {{start:Int64}}, {{step:Int64}})"
