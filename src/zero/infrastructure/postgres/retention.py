"""The store as retention sees it: how large it is, days dropped as a whole, rows of single tenants deleted."""

from collections.abc import Mapping

from psycopg import AsyncConnection

from zero.domain.retention import Cut
from zero.infrastructure.postgres.connection import connected
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import SCHEMA_LOCK, days, drop_days_before, partition
from zero.infrastructure.postgres.values import from_text, to_text

_ROWS_AT_ONCE = 20_000


class PostgresRetention:
    """Implements RetentionStore over psycopg, with a connection for each piece of work."""

    def __init__(self, options: PostgresOptions) -> None:
        self._options = options

    async def set_aside_broken(self) -> Mapping[str, str]:
        """Do nothing: PostgreSQL has no parts that it could go on without."""
        return {}

    async def disk_bytes(self) -> int:
        """Add up the tables of the schema that ours are in, with indexes and what is stored beside them."""
        sql = (
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind IN ('r', 'm')"
            " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'logs'::regclass)"
        )
        async with connected(self._options) as connection:
            row = await (await connection.execute(sql.encode())).fetchone()
        return int(row[0]) if row else 0

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Count every tenant's rows by day of receipt: day by day, each a partition."""
        counts = {}
        async with connected(self._options) as connection:
            for day in await days(connection):
                sql = f"SELECT tenant, count(*) FROM {partition(day)} GROUP BY tenant"
                for tenant, count in await (await connection.execute(sql.encode())).fetchall():
                    counts[from_text(tenant), day] = int(count)
        return counts

    async def remove(self, cut: Cut) -> int:
        """Drop the days of which nothing stays, then delete what single tenants no longer keep: vacuum gives that room back."""
        named = [to_text(tenant) for tenant in cut.tenants]
        async with connected(self._options) as connection:
            await connection.execute(f"SET statement_timeout = {self._options.insert_timeout_seconds * 1000}".encode())
            await connection.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))  # until the connection ends
            counts = [await _count(connection, day) for day in await days(connection) if day < cut.everyone]
            removed = sum(counts)
            await drop_days_before(connection, cut.everyone)
            for day in await days(connection):
                gone = [to_text(tenant) for tenant, first in cut.tenants.items() if day < first]
                if gone or day < cut.others:
                    removed += await _delete(connection, day, (gone, day < cut.others, named))
        return removed


async def _delete(connection: AsyncConnection, day: int, due: tuple[list[str], bool, list[str]]) -> int:
    """Delete a day's rows of the first tenants, or of all but the last, a bounded number in one statement; returns how many."""
    table = partition(day)
    some = f"SELECT ctid FROM {table} WHERE tenant = ANY(%s) OR (%s AND NOT tenant = ANY(%s)) LIMIT {_ROWS_AT_ONCE}"
    sql, deleted = f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({some}))", 0
    while count := (await connection.execute(sql.encode(), due)).rowcount:
        deleted += count
    return deleted


async def _count(connection: AsyncConnection, day: int) -> int:
    row = await (await connection.execute(f"SELECT count(*) FROM {partition(day)}".encode())).fetchone()
    return int(row[0]) if row else 0
