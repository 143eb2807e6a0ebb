"""Numbered migrations: SQL files applied in order, each once and in one transaction; two runs at once take turns."""

import asyncio
import re
import time
from dataclasses import dataclass
from importlib import resources

from psycopg import AsyncConnection

from zero.infrastructure.postgres.connection import check, connected
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import SCHEMA_LOCK, look_after

_FILE = re.compile(r"(\d{4})_(\w+)\.sql\Z")


@dataclass(frozen=True, slots=True)
class Migration:
    """A file of ``sql/``: its number, its name, its statements."""

    number: int
    name: str
    text: str


def migrations() -> list[Migration]:
    """Return all migrations in order."""
    found = []
    for file in sorted(resources.files("zero.infrastructure.postgres").joinpath("sql").iterdir(), key=lambda file: file.name):
        if (name := _FILE.match(file.name)) is not None:
            found.append(Migration(int(name[1]), file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")))
    return found


def migrate(options: PostgresOptions) -> list[str]:
    """Bring the store up to date; returns the names of the migrations applied now. Raises StoreUnavailable or StoreHalted."""
    return asyncio.run(_migrate(options))


async def _migrate(options: PostgresOptions) -> list[str]:
    async with connected(options) as connection:
        await check(connection)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            applied = await _apply(connection)
    await look_after(options, time.time_ns())
    return applied


async def _apply(connection: AsyncConnection) -> list[str]:
    columns = "number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()"
    await connection.execute(f"CREATE TABLE IF NOT EXISTS zero_migrations ({columns})".encode())
    rows = await (await connection.execute("SELECT number FROM zero_migrations")).fetchall()
    known = {number for (number,) in rows}
    applied = []
    for migration in migrations():
        if migration.number not in known:
            await connection.execute(migration.text.encode())
            row = migration.number, migration.name
            await connection.execute("INSERT INTO zero_migrations (number, name) VALUES (%s, %s)", row)
            applied.append(migration.name)
    return applied
