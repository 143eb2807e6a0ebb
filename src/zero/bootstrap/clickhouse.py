"""ClickHouse as the store."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from zero.bootstrap.stores import Readers, StoreReport
from zero.domain.errors import ConfigurationError
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.drain.parts import FrameCodec
    from zero.application.ports import Codec, Telemetry
    from zero.infrastructure.clickhouse.meaning_store import ClickHouseMeaningStore
    from zero.infrastructure.clickhouse.options import ClickHouseOptions
    from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore
    from zero.infrastructure.clickhouse.retention import ClickHouseRetention
    from zero.infrastructure.clickhouse.store import ClickHouseStore


def clickhouse_options(settings: Settings) -> "ClickHouseOptions":
    """Return how to reach ClickHouse. Raises ConfigurationError when no URL of one is set."""
    from zero.infrastructure.clickhouse.options import ClickHouseOptions

    if not settings.store:
        raise ConfigurationError("ZERO_CLICKHOUSE_URL is empty: set it, or run `zero up`, which starts a store of its own")
    cluster, quorum = settings.clickhouse_cluster or None, settings.clickhouse_quorum
    return ClickHouseOptions(settings.store, retention_days=settings.retention.days_max, cluster=cluster, quorum=quorum)


class ClickHouseKind:
    """Implements StoreKind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.block_rows_max = settings.stage.drain_block_rows_max

    def codec(self) -> "FrameCodec":
        """Return the codec of the pipeline."""
        return chosen_codec(self._settings)

    def store(self) -> "ClickHouseStore":
        """Return what the drain writes to."""
        from zero.infrastructure.clickhouse.store import ClickHouseStore

        return ClickHouseStore(clickhouse_options(self._settings))

    def readers(self) -> Readers:
        """Return what reads, with the rights of the reader if there is one."""
        from zero.infrastructure.clickhouse.connection import connect
        from zero.infrastructure.clickhouse.field_reader import ClickHouseFieldReader
        from zero.infrastructure.clickhouse.meaning_reader import ClickHouseMeaningReader
        from zero.infrastructure.clickhouse.pattern_reader import ClickHousePatternReader
        from zero.infrastructure.clickhouse.reader import ClickHouseReader, ReaderOptions

        options = replace(clickhouse_options(self._settings), url=self._settings.store_of_readers)
        logs = ClickHouseReader(lambda: connect(options), ReaderOptions(cluster=options.cluster))
        return Readers(logs, ClickHouseFieldReader(logs), ClickHousePatternReader(logs), ClickHouseMeaningReader(logs))

    def pattern_store(self) -> "ClickHousePatternStore":
        """Return where the catalogue of patterns is kept."""
        from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore

        return ClickHousePatternStore(clickhouse_options(self._settings))

    def meaning_store(self) -> "ClickHouseMeaningStore":
        """Return where words and vectors are kept."""
        from zero.infrastructure.clickhouse.meaning_store import ClickHouseMeaningStore

        return ClickHouseMeaningStore(clickhouse_options(self._settings))

    def upkeep(self, telemetry: "Telemetry") -> AbstractAsyncContextManager[None]:
        """Do nothing: ClickHouse drops by itself what is due."""
        return nullcontext()

    def retention(self) -> "ClickHouseRetention":
        """Return what removes days from the store."""
        from zero.infrastructure.clickhouse.retention import ClickHouseRetention

        return ClickHouseRetention(clickhouse_options(self._settings))

    def migrate(self) -> list[str]:
        """Bring the tables up to date; returns what was applied."""
        from zero.infrastructure.clickhouse.migrations import migrate

        return migrate(clickhouse_options(self._settings))

    def report(self) -> StoreReport:
        """Ask the server for its version and clock, and how its cluster is."""
        from zero.infrastructure.clickhouse.connection import server_version

        options = clickhouse_options(self._settings)
        found = server_version(options)
        description = f"ClickHouse {found.version}; 26.2 or newer is needed"
        wrong: list[str] = []
        if options.cluster is not None:
            from zero.infrastructure.clickhouse.cluster_report import cluster_report

            what, wrong = cluster_report(options, self._settings.shards)
            description = f"{description}; {what}"
        return StoreReport(description, found.fits, "; ".join(wrong), found.now_seconds)


def native_codec() -> "Codec":
    """Return the codec of the platform."""
    from zero.infrastructure.native.codec import NativeCodec

    return NativeCodec()


def chosen_codec(settings: Settings) -> "Codec":
    """Return the codec of the pipeline."""
    if settings.stage.native:
        return native_codec()
    from zero.infrastructure.codec.python_codec import PythonCodec

    return PythonCodec(native_codec().crc32c)
