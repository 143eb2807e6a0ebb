"""The days of table ``logs``: a partition each, made before it is needed, dropped when retention has passed it.

A partition is attached, and detached, without stopping those who read and write the others.
"""

from collections.abc import Iterable
from datetime import date

from psycopg import AsyncConnection

from zero.application.ports import Clock, Telemetry
from zero.domain.errors import StoreRejected, ZeroError
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.domain.ledger import MILLISECONDS_PER_DAY, day_of
from zero.infrastructure.postgres.connection import connected
from zero.infrastructure.postgres.events import DaysDropped, UpkeepFailed
from zero.infrastructure.postgres.options import PostgresOptions

SCHEMA_LOCK = 0x7A65726F  # "zero": held by whoever changes tables
_PREFIX = "logs_"
_FIRST_DAY = date(1970, 1, 1).toordinal()
_DAYS_MAX = date.max.toordinal() - _FIRST_DAY
_LOOK_SECONDS = 600.0
_OF_LOGS = (
    "FROM pg_inherits AS part JOIN pg_class AS child ON child.oid = part.inhrelid WHERE part.inhparent = 'logs'::regclass"
)


def partition(day: int) -> str:
    """Return the table of a day of receipt, counted from 1970. Raises StoreRejected for a day that no calendar has."""
    if not 0 <= day < _DAYS_MAX:
        raise StoreRejected(f"day {day} after 1970 has no partition", store_code=0)
    return f"{_PREFIX}{date.fromordinal(_FIRST_DAY + day):%Y%m%d}"


async def days(connection: AsyncConnection) -> list[int]:
    """Return the days that there are partitions of, the oldest first."""
    sql = f"SELECT child.relname {_OF_LOGS} AND NOT part.inhdetachpending ORDER BY 1"
    return [_day(name) for (name,) in await (await connection.execute(sql.encode())).fetchall()]


def _day(name: str) -> int:
    text = name.removeprefix(_PREFIX)
    return date(int(text[:-4]), int(text[-4:-2]), int(text[-2:])).toordinal() - _FIRST_DAY


async def make_days(connection: AsyncConnection, wanted: Iterable[int]) -> None:
    """Make the partitions that are missing; several processes may do so at once.

    Only for those it waits for whoever changes tables: retention may hold the lock for as long as it deletes rows.
    """
    for day in wanted:
        name, start = partition(day), day * MILLISECONDS_PER_DAY
        there = f"SELECT 1 {_OF_LOGS} AND child.relname = %s AND NOT part.inhdetachpending"
        if await (await connection.execute(there.encode(), (name,))).fetchone() is not None:
            continue
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            found = await (await connection.execute("SELECT to_regclass(%s)", (name,))).fetchone()
            if found is None or found[0] is None:
                columns = "LIKE logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
                await connection.execute(f"CREATE TABLE {name} ({columns})".encode())
                bounds = f"FROM ({start}) TO ({start + MILLISECONDS_PER_DAY})"
                await connection.execute(f"ALTER TABLE logs ATTACH PARTITION {name} FOR VALUES {bounds}".encode())


async def look_after(options: PostgresOptions, now_ns: int) -> int:
    """Make today's and tomorrow's partition, drop the days that retention has passed; returns how many."""
    async with connected(options) as connection:
        today = day_of(now_ns // NANOSECONDS_PER_MILLISECOND)
        await make_days(connection, (today, today + 1))
        alone = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (SCHEMA_LOCK,))).fetchone()
        if alone is None or not alone[0]:
            return 0
        await connection.execute(f"SET statement_timeout = {options.insert_timeout_seconds * 1000}".encode())
        await _finish_detached(connection)
        first = today - options.retention_days  # the day on which retention falls due is kept, as by the ledger
        return await drop_days_before(connection, first)


async def drop_days_before(connection: AsyncConnection, first: int) -> int:
    """Drop the days before ``first`` and the patterns that were last seen then; returns how many days. SCHEMA_LOCK is held."""
    due = [day for day in await days(connection) if day < first]
    for day in due:
        await connection.execute(f"ALTER TABLE logs DETACH PARTITION {partition(day)} CONCURRENTLY".encode())
        await connection.execute(f"DROP TABLE {partition(day)}".encode())
    await connection.execute("DELETE FROM patterns WHERE received_ms < %s", (first * MILLISECONDS_PER_DAY,))
    return len(due)


async def _finish_detached(connection: AsyncConnection) -> None:
    """End what an interrupted run has left: a partition half detached, or detached and not dropped."""
    pending = f"SELECT child.relname {_OF_LOGS} AND part.inhdetachpending"
    for (name,) in await (await connection.execute(pending.encode())).fetchall():
        await connection.execute(f"ALTER TABLE logs DETACH PARTITION {partition(_day(name))} FINALIZE".encode())
    alone = (
        "SELECT relname FROM pg_class AS t WHERE relkind = 'r' AND NOT relispartition AND relname ~ '^logs_[0-9]{8,}$'"
        " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'logs'::regclass)"
    )
    for (name,) in await (await connection.execute(alone.encode())).fetchall():
        await connection.execute(f"DROP TABLE {partition(_day(name))}".encode())


class PartitionUpkeep:
    """Looks after the partitions for as long as ``run`` runs."""

    def __init__(self, options: PostgresOptions, clock: Clock, telemetry: Telemetry) -> None:
        self._options = options
        self._clock = clock
        self._telemetry = telemetry

    async def run(self) -> None:
        """Look every ten minutes until cancelled; outages are waited out."""
        while True:
            try:
                if dropped := await look_after(self._options, self._clock.now_ns()):
                    self._telemetry.emit(DaysDropped(dropped))
            except ZeroError as error:
                self._telemetry.emit(UpkeepFailed(error.message))
            await self._clock.sleep(_LOOK_SECONDS)
