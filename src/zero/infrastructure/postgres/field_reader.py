"""Names and values to complete a query with: read from a bounded sample of the newest entries, in every query one tenant's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zero.application.ports import Scope
from zero.application.sql_condition import FACET_COLUMNS
from zero.application.windows import backwards
from zero.domain.query import Field
from zero.infrastructure.postgres.reader import PostgresReader, scope_condition
from zero.infrastructure.postgres.rows import Row
from zero.infrastructure.postgres.values import from_text, to_text

_BEGINS = 'starts_with(lower({} COLLATE "C"), lower(%(prefix)s::text COLLATE "C"))'


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How much is read: of every pattern of every app a few entries for names; for values no more rows than that.

    ``value_chars_max``: nobody completes a longer value.
    """

    entries_of_a_pattern: int = 5
    entries: int = 2_000
    rows: int = 200_000
    value_chars_max: int = 200


class PostgresFieldReader:
    """Implements FieldReader. Looks at the newest minutes, then hours, and only where both are empty at everything."""

    def __init__(self, reader: PostgresReader, options: SampleOptions | None = None) -> None:
        self._reader = reader
        self._options = options or SampleOptions()

    async def keys(self, scope: Scope, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Take a few of the newest entries of each pattern, and count the keys in those."""
        options = self._options
        bound = {"prefix": to_text(prefix), "limit": limit, "of_a_pattern": options.entries_of_a_pattern}
        bound |= {"sample": options.entries, "rows": options.rows}
        start = (
            "SELECT name, count(*) AS entries FROM (SELECT metadata FROM (SELECT metadata, row_number() OVER"
            " (PARTITION BY app_id, pattern_id) AS place FROM (SELECT app_id, pattern_id, metadata FROM logs WHERE "
        )
        end = (
            " ORDER BY timestamp_ns DESC LIMIT %(rows)s) AS newest) AS placed WHERE place <= %(of_a_pattern)s"
            f" LIMIT %(sample)s) AS sample, jsonb_object_keys(metadata) AS name WHERE {_BEGINS.format('name')}"
            ' GROUP BY name ORDER BY entries DESC, name COLLATE "C" LIMIT %(limit)s'
        )
        return [(from_text(name), count) for name, count in await self._newest(scope, start, end, bound)]

    async def values(self, scope: Scope, field: Field, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Count the values in the sample that begin with the prefix, in any case."""
        bound: dict[str, Any] = {"prefix": to_text(prefix), "limit": limit}
        bound |= {"chars": self._options.value_chars_max, "rows": self._options.rows}
        if field.is_key:
            value, bound["key"] = "coalesce(zero_value(metadata, %(key)s::text), '')", to_text(field.name)
        else:
            value = FACET_COLUMNS[field.name]
        start = f"SELECT value, count(*) AS entries FROM (SELECT {value} AS value FROM logs WHERE "
        end = (
            f" AND {value} <> '' AND octet_length({value}) <= %(chars)s AND {_BEGINS.format(value)} LIMIT %(rows)s) AS sample"
            " GROUP BY value ORDER BY entries DESC, value LIMIT %(limit)s"
        )
        return [(from_text(text), count) for text, count in await self._newest(scope, start, end, bound)]

    async def _newest(self, scope: Scope, start: str, end: str, bound: dict[str, Any]) -> Sequence[Row]:
        """Ask between ``start`` and ``end`` for growing windows of time, until one has something."""
        extent = await self._reader.extent(scope.tenant)
        if extent is None:
            return []
        for window in backwards(scope.from_ns, scope.to_ns, extent):
            condition, parameters = scope_condition(scope, window)
            if rows := await self._reader.ask(f"{start}{condition}{end}", parameters | bound):
                return rows
        return []
