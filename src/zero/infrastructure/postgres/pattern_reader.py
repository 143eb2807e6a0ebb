"""Patterns of one tenant with counts in a scope: groups of the catalogue joined with what the entries say."""

from collections.abc import Mapping, Sequence

from zero.application.ports import Order, PatternCount, PatternQuery, PatternSeries, PatternTally, Scope, Steps
from zero.domain.entry import Level
from zero.domain.pattern import Pattern
from zero.infrastructure.postgres.patterns import PATTERN_COLUMNS, read_pattern
from zero.infrastructure.postgres.query_compiler import MEMBERS
from zero.infrastructure.postgres.reader import PostgresReader, scope_condition
from zero.infrastructure.postgres.values import from_text, signed, to_text, unsigned

_OF_TENANT = "FROM patterns WHERE tenant = %(tenant)s"
_GROUPS = f"SELECT pattern_id, group_id, min(first_seen_ns) OVER (PARTITION BY group_id) AS appeared {_OF_TENANT}"
_NAMED = f"SELECT pattern_id, group_id {_OF_TENANT} AND group_id = ANY(%(groups)s::bigint[])"
_SLOT = "(timestamp_ns - %(start)s::bigint) / %(step)s::bigint"
_ORDERS: dict[Order, str] = {
    "frequent": "entries DESC, group_id",
    "rare": "entries, group_id",
    "new": "appeared DESC, group_id",
}


class PostgresPatternReader:
    """Implements PatternReader over the queries, and within the bounds, of a PostgresReader."""

    def __init__(self, reader: PostgresReader) -> None:
        self._reader = reader

    async def count(self, query: PatternQuery) -> Sequence[PatternCount]:
        """Count by pattern; then by group, of which there are few."""
        condition, parameters = scope_condition(query.scope)
        parameters["limit"] = query.limit
        narrowed, having = _GROUPS, ""
        if query.group_ids is not None:
            parameters["groups"] = [signed(group_id) for group_id in query.group_ids]
            narrowed += " AND group_id = ANY(%(groups)s::bigint[])"
        if query.new_since_ns is not None:
            parameters["new_since"] = query.new_since_ns
            having = " WHERE appeared >= %(new_since)s"
        counted = "SELECT pattern_id, count(*) AS counted, max(timestamp_ns) AS latest FROM logs"
        counts = f"{counted} WHERE {condition} GROUP BY pattern_id"
        sql = (
            "SELECT group_id, sum(counted)::bigint AS entries, min(appeared) AS appeared, max(latest)"
            f" FROM ({counts}) AS counts JOIN ({narrowed}) AS groups USING (pattern_id){having}"
            f" GROUP BY group_id ORDER BY {_ORDERS[query.order]} LIMIT %(limit)s"
        )
        rows = await self._reader.ask(sql, parameters)
        texts = await self.texts(query.scope.tenant, [unsigned(row[0]) for row in rows])
        return [
            PatternCount(unsigned(group), *texts.get(unsigned(group), ("", "")), count, first_ns, last_ns)
            for group, count, first_ns, last_ns in rows
        ]

    async def tallies(self, scope: Scope, group_ids: Sequence[int], steps: Steps) -> Sequence[PatternTally]:
        """Read only the entries of the groups' patterns."""
        if not group_ids:
            return []
        condition, parameters = scope_condition(scope)
        parameters |= {"start": steps.start_ns, "step": steps.step_ns, "groups": [signed(group_id) for group_id in group_ids]}
        sql = (
            f"SELECT group_id, {_SLOT} AS slot, level, app_id, count(*) FROM logs JOIN ({_NAMED}) AS groups USING (pattern_id)"
            f" WHERE {condition} GROUP BY group_id, slot, level, app_id ORDER BY group_id, slot, level, app_id"
        )
        return [
            PatternTally(unsigned(group), steps.start_ns + slot * steps.step_ns, Level(level), from_text(app_id), count)
            for group, slot, level, app_id, count in await self._reader.ask(sql, parameters)
        ]

    async def series(self, scope: Scope, steps: Steps, limit: int) -> Sequence[PatternSeries]:
        """Count by pattern and step, then by group."""
        condition, parameters = scope_condition(scope)
        parameters |= {"start": steps.start_ns, "step": steps.step_ns, "limit": limit}
        counts = f"SELECT pattern_id, {_SLOT} AS slot, count(*) AS counted FROM logs WHERE {condition} GROUP BY 1, 2"
        sql = (
            "SELECT group_id, min(appeared), array_agg(slot), array_agg(entries) FROM (SELECT group_id, slot,"
            f" min(appeared) AS appeared, sum(counted)::bigint AS entries FROM ({counts}) AS counts"
            f" JOIN ({_GROUPS}) AS groups USING (pattern_id) GROUP BY group_id, slot ORDER BY slot) AS stepped"
            " GROUP BY group_id ORDER BY sum(entries) DESC, group_id LIMIT %(limit)s"
        )
        rows = await self._reader.ask(sql, parameters)
        found = []
        for group, first_ns, slots, entries in rows:
            by_step = {steps.start_ns + slot * steps.step_ns: count for slot, count in sorted(zip(slots, entries, strict=True))}
            found.append(PatternSeries(unsigned(group), first_ns, by_step))
        return found

    async def members(self, tenant: str, group_id: int, limit: int) -> Sequence[Pattern]:
        """Read the group of the pattern."""
        wanted = MEMBERS.format("%(pattern)s::bigint")
        sql = (
            f"SELECT {PATTERN_COLUMNS} {_OF_TENANT} AND pattern_id IN ({wanted})"
            " ORDER BY count DESC, pattern_id LIMIT %(limit)s"
        )
        parameters = {"tenant": to_text(tenant), "pattern": signed(group_id), "limit": limit}
        return [read_pattern(row) for row in await self._reader.ask(sql, parameters)]

    async def extent(self, tenant: str) -> tuple[int, int] | None:
        """Ask the catalogue, which is small."""
        sql = f"SELECT min(first_seen_ns), max(last_seen_ns) {_OF_TENANT}"
        first_ns, last_ns = (await self._reader.ask(sql, {"tenant": to_text(tenant)}))[0]
        return None if first_ns is None else (first_ns, last_ns)

    async def texts(self, tenant: str, group_ids: Sequence[int]) -> Mapping[int, tuple[str, str]]:
        """Take the message of each group's earliest pattern."""
        sql = (
            f"SELECT DISTINCT ON (group_id) group_id, group_text, example {_OF_TENANT} AND group_id = ANY(%(groups)s::bigint[])"
            " ORDER BY group_id, first_bid, first_idx"
        )
        groups = [signed(group_id) for group_id in group_ids]
        rows = await self._reader.ask(sql, {"tenant": to_text(tenant), "groups": groups})
        return {unsigned(group): (from_text(text), from_text(example)) for group, text, example in rows}
