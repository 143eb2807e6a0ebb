"""The store as retention sees it: how large it is, and rows of whole days taken away.

A part whose rows are all due is dropped at once; one with others, too, is rewritten by a mutation, in the background.
Parts and never partitions: an entry of today can belong to the partition of an old day, and a part never gets more rows.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from zero.application.background import in_thread_left_behind
from zero.domain.retention import Cut
from zero.infrastructure.clickhouse.broken_parts import BrokenParts
from zero.infrastructure.clickhouse.cluster import on_cluster
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.errors import error_code, translated
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.rows import read_json_rows

Result = TypeVar("Result")

_NO_SUCH_PART = 232
_DAY = "toInt32(toDate32(received_at))"
_DUE = f"{_DAY} < transform(toString(tenant), {{names:Array(String)}}, {{days:Array(Int32)}}, {{others:Int32}})"
_NOBODY = ""
"""A name that no tenant has, since the list must not be empty."""
_BOUNDS = {"max_threads": 1, "max_memory_usage": 1 << 30}


class ClickHouseRetention:
    """Implements RetentionStore over ``clickhouse-connect``, with a connection for each piece of work."""

    def __init__(self, options: ClickHouseOptions) -> None:
        self._options = options
        self._cluster = options.cluster
        self._on_cluster = on_cluster(options)
        self._table = "logs_local" if options.cluster else "logs"
        self._broken = BrokenParts(options.database, self._table)

    async def set_aside_broken(self) -> Mapping[str, str]:
        """Detach parts that a search could not read; replicated ones not: of those the server fetches another copy."""
        return await self._run(self._set_aside_broken)

    def _set_aside_broken(self, client: Client) -> Mapping[str, str]:
        if not self._cluster:
            self._broken.detach(client)
        return self._broken.detached(client, self._of_all("detached_parts"))

    async def disk_bytes(self) -> int:
        """Add up the active parts of all our tables, of one replica each."""
        sql = f"SELECT sum(bytes_on_disk) FROM {self._of_all('parts')} WHERE active AND database = {{database:String}}"
        return await self._run(lambda client: _number(client, sql, {"database": self._options.database}))

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Count every tenant's rows by day of receipt."""
        sql = f"SELECT tenant, {_DAY} AS day, count() FROM logs GROUP BY tenant, day"
        return await self._run(lambda client: {(tenant, int(day)): int(count) for tenant, day, count in _rows(client, sql, {})})

    async def remove(self, cut: Cut) -> int:
        """Drop and rewrite parts. While an earlier rewrite runs nothing is done."""
        return await self._run(lambda client: self._remove(client, cut))

    def _remove(self, client: Client, cut: Cut) -> int:
        unfinished = f"SELECT count() FROM {self._of_all('mutations')} WHERE database = {{database:String}} AND NOT is_done"
        of_table = f"{unfinished} AND table = {{table:String}}"
        if _number(client, of_table, {"database": self._options.database, "table": self._table}):
            return 0
        due = {"names": [_NOBODY, *cut.tenants], "days": [cut.others, *cut.tenants.values()], "others": cut.others}
        sql = f"SELECT _part, count(), countIf({_DUE}) AS due FROM logs GROUP BY _part HAVING due > 0"
        parts = [(str(name), int(count), int(some)) for name, count, some in _rows(client, sql, due)]
        whole = [name for name, count, some in parts if count == some] if not self._cluster else []
        kept = [name for name in whole if not self._drop(client, name)]
        if kept or len(whole) < len(parts):
            client.command(f"ALTER TABLE {self._table}{self._on_cluster} DELETE WHERE {_DUE} SETTINGS mutations_sync = 0", due)
        return sum(some for _, _, some in parts)

    def _drop(self, client: Client, part: str) -> bool:
        """Drop a part; False when it is gone, because a merge was faster."""
        try:
            client.command(f"ALTER TABLE {self._table} DROP PART {{part:String}}", {"part": part})
        except ClickHouseError as error:
            if error_code(error) != _NO_SUCH_PART:
                raise
            return False
        return True

    def _of_all(self, table: str) -> str:
        """Return a system table of this server, or of one replica of each shard of the cluster."""
        return f"cluster('{self._cluster}', system.{table})" if self._cluster else f"system.{table}"

    async def _run(self, step: Callable[[Client], Result]) -> Result:
        return await in_thread_left_behind(lambda: self._guarded(step))  # a stop does not wait for what may take long

    def _guarded(self, step: Callable[[Client], Result]) -> Result:
        with translated():
            client = connect_writer(self._options)
            try:
                return step(client)
            finally:
                client.close()


def _rows(client: Client, sql: str, parameters: Mapping[str, Any]) -> list[Any]:
    return list(read_json_rows(client.raw_query(sql, dict(parameters), settings=_BOUNDS, fmt="JSONCompactEachRow")))


def _number(client: Client, sql: str, parameters: Mapping[str, Any]) -> int:
    return int(_rows(client, sql, parameters)[0][0])
