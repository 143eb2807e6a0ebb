"""Names and values to complete a query with: read from a bounded sample of the newest entries, in every query one tenant's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zero.application.ports import Scope
from zero.application.sql_condition import FACET_COLUMNS
from zero.application.windows import backwards
from zero.domain.query import Field
from zero.infrastructure.clickhouse.counts import scope_condition
from zero.infrastructure.clickhouse.identities import among
from zero.infrastructure.clickhouse.query_compiler import Identifier
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.clickhouse.rows import read_json_rows


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How much is read: of every pattern of every app a few entries for names; for values no more rows than that.

    ``value_chars_max``: nobody completes a longer value.
    """

    entries_of_a_pattern: int = 5
    entries: int = 2_000
    rows: int = 1_000_000
    value_chars_max: int = 200


class ClickHouseFieldReader:
    """Implements FieldReader. Looks at the newest minutes, then hours, and only where both are empty at everything."""

    def __init__(self, reader: ClickHouseReader, options: SampleOptions | None = None) -> None:
        self._reader = reader
        self._options = options or SampleOptions()

    async def keys(self, scope: Scope, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Choose entries by the narrow columns, then read the metadata of those alone."""
        sampled = (
            " LIMIT {of_a_pattern:UInt32} BY app_id, pattern_id LIMIT {sample:UInt32}",
            {"of_a_pattern": self._options.entries_of_a_pattern, "sample": self._options.entries},
        )
        identities = await self._newest(scope, "SELECT _bid, _idx FROM logs WHERE ", sampled)
        if not identities:
            return []
        condition, parameters = among([(int(batch_id), index) for batch_id, index in identities])
        sql = (
            "SELECT arrayJoin(JSONAllPaths(metadata)) AS name, count() AS entries FROM logs"
            f" WHERE tenant = {{tenant:String}} AND {condition}"
            " GROUP BY name HAVING startsWith(lower(name), lower({prefix:String}))"
            " ORDER BY entries DESC, name LIMIT {limit:UInt32}"
        )
        parameters |= {"tenant": scope.tenant, "prefix": prefix, "limit": limit}
        rows = read_json_rows(await self._reader.ask(sql, parameters))
        return [(name, int(count)) for name, count in rows]

    async def values(self, scope: Scope, field: Field, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Count the values in the sample that begin with the prefix, in any case."""
        bound: dict[str, Any] = {"prefix": prefix, "limit": limit}
        bound |= {"chars": self._options.value_chars_max, "sample": self._options.rows}
        if field.is_key:
            value, bound["key"] = "ifNull(toString(metadata.{key:Identifier}), '')", Identifier(field.name)
        else:
            value = FACET_COLUMNS[field.name]
        start = f"SELECT value, count() AS entries FROM (SELECT {value} AS value FROM logs WHERE "
        end = (
            " AND value != '' AND length(value) <= {chars:UInt32} AND startsWith(lower(value), lower({prefix:String}))"
            " LIMIT {sample:UInt32}) GROUP BY value ORDER BY entries DESC, value LIMIT {limit:UInt32}"
        )
        return [(text, int(count)) for text, count in await self._newest(scope, start, (end, bound))]

    async def _newest(self, scope: Scope, start: str, end: tuple[str, Mapping[str, Any]]) -> list[list[Any]]:
        """Ask between ``start`` and ``end`` for growing windows of time, until one has something."""
        for window in backwards(scope.from_ns, scope.to_ns, await self._reader.extent()):
            condition, parameters = scope_condition(scope, window)
            found = await self._reader.ask(f"{start}{condition}{end[0]}", {**parameters, **end[1]})
            if rows := list(read_json_rows(found)):
                return rows
        return []
