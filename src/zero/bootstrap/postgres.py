"""PostgreSQL as the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zero.bootstrap.stores import Readers, StoreReport
from zero.domain.errors import ConfigurationError
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.ports import Telemetry
    from zero.infrastructure.postgres.codec import PostgresCodec
    from zero.infrastructure.postgres.meaning_store import PostgresMeaningStore
    from zero.infrastructure.postgres.options import PostgresOptions
    from zero.infrastructure.postgres.patterns import PostgresPatternStore
    from zero.infrastructure.postgres.retention import PostgresRetention
    from zero.infrastructure.postgres.store import PostgresStore

# PostgreSQL takes a block of ClickHouse's size in tens of seconds; one like this in a second or two.
_BLOCK_ROWS_MAX = 20_000


def postgres_options(settings: Settings) -> "PostgresOptions":
    """Return how to reach PostgreSQL. Raises ConfigurationError when its driver is not installed."""
    if find_spec("psycopg") is None:
        raise ConfigurationError("PostgreSQL as the store needs the extra postgres: make setup, or pip install '.[postgres]'")
    from zero.infrastructure.postgres.options import PostgresOptions

    return PostgresOptions(settings.store, retention_days=settings.retention.days_max)


class PostgresKind:
    """Implements StoreKind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = postgres_options(settings)
        self.block_rows_max = min(settings.stage.drain_block_rows_max, _BLOCK_ROWS_MAX)

    def codec(self) -> "PostgresCodec":
        """Return what encodes rows for COPY."""
        from zero.infrastructure.native.codec import NativeCodec
        from zero.infrastructure.postgres.codec import PostgresCodec

        native = NativeCodec()
        return PostgresCodec(native.crc32c, native.pattern_id)

    def store(self) -> "PostgresStore":
        """Return what the drain writes to."""
        from zero.infrastructure.postgres.store import PostgresStore

        return PostgresStore(self._options)

    def readers(self) -> Readers:
        """Return what reads, with the rights of the reader if there is one."""
        from zero.infrastructure.postgres.field_reader import PostgresFieldReader
        from zero.infrastructure.postgres.meaning_reader import PostgresMeaningReader
        from zero.infrastructure.postgres.pattern_reader import PostgresPatternReader
        from zero.infrastructure.postgres.reader import PostgresReader

        logs = PostgresReader(replace(self._options, url=self._settings.store_of_readers))
        return Readers(logs, PostgresFieldReader(logs), PostgresPatternReader(logs), PostgresMeaningReader(logs))

    def pattern_store(self) -> "PostgresPatternStore":
        """Return where the catalogue of patterns is kept."""
        from zero.infrastructure.postgres.patterns import PostgresPatternStore

        return PostgresPatternStore(self._options)

    def meaning_store(self) -> "PostgresMeaningStore":
        """Return where words and vectors are kept."""
        from zero.infrastructure.postgres.meaning_store import PostgresMeaningStore

        return PostgresMeaningStore(self._options)

    @asynccontextmanager
    async def upkeep(self, telemetry: "Telemetry") -> AsyncIterator[None]:
        """Make the partitions of coming days, and drop those that retention has passed."""
        from zero.application.background import end
        from zero.infrastructure.postgres.partitions import PartitionUpkeep
        from zero.infrastructure.system.clock import SystemClock

        keeping = asyncio.create_task(PartitionUpkeep(self._options, SystemClock(), telemetry).run())
        try:
            yield
        finally:
            await end(keeping)

    def retention(self) -> "PostgresRetention":
        """Return what removes days from the store."""
        from zero.infrastructure.postgres.retention import PostgresRetention

        return PostgresRetention(self._options)

    def migrate(self) -> list[str]:
        """Bring the tables up to date; returns what was applied."""
        from zero.infrastructure.postgres.migrations import migrate

        return migrate(self._options)

    def report(self) -> StoreReport:
        """Ask the server for its version, its clock, and whether its commits last."""
        from zero.infrastructure.postgres.connection import OLDEST_VERSION, server_version

        found = server_version(self._options)
        weak = f"{' and '.join(found.weak)} off: a crash of its machine loses what was stored" if found.weak else ""
        description = f"PostgreSQL {found.version}; {OLDEST_VERSION} or newer is needed"
        return StoreReport(description, found.fits, weak, found.now_seconds)
