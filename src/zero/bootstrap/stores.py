"""Which store the platform has: the scheme of its URL says so.

A new kind is a class like those in ``clickhouse.py`` and ``postgres.py``, and a case of ``store_kind``.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from zero.application.ports import (
    FieldReader,
    LogReader,
    MeaningReader,
    MeaningStore,
    PatternReader,
    PatternStore,
    RetentionStore,
    Store,
    Telemetry,
)
from zero.domain.errors import ConfigurationError
from zero.settings import POSTGRES_SCHEMES, Settings

if TYPE_CHECKING:
    from zero.application.drain.parts import FrameCodec


class Closing(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""


class ClosingStore(Store, Closing, Protocol):
    """What the drain writes to."""


class ClosingPatternStore(PatternStore, Closing, Protocol):
    """Where the catalogue of patterns is kept."""


class ClosingMeaningStore(MeaningStore, Closing, Protocol):
    """Where words and vectors are kept."""


class ClosingLogReader(LogReader, Closing, Protocol):
    """What searches read from; the other readers use its connections."""


@dataclass(frozen=True, slots=True)
class Readers:
    """All that reads the store, over the connections of ``logs``."""

    logs: ClosingLogReader
    fields: FieldReader
    patterns: PatternReader
    meaning: MeaningReader


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What ``zero doctor`` says of the server: ``warning`` is '' when nothing is wrong. ``now_seconds`` is its clock."""

    description: str
    fits: bool
    warning: str
    now_seconds: float


class StoreKind(Protocol):
    """How to make everything that talks to one kind of store. What it needs is imported when it is called."""

    block_rows_max: int
    """How many rows an insert of the drain holds at most."""

    def codec(self) -> "FrameCodec":
        """Return what encodes the blocks that ``store`` takes."""

    def store(self) -> ClosingStore:
        """Return what the drain writes to."""

    def readers(self) -> Readers:
        """Return what the api reads from."""

    def pattern_store(self) -> ClosingPatternStore:
        """Return where the catalogue of patterns is kept."""

    def meaning_store(self) -> ClosingMeaningStore:
        """Return where words and vectors are kept."""

    def upkeep(self, telemetry: Telemetry) -> AbstractAsyncContextManager[None]:
        """Do what the store does not do by itself, such as making partitions ahead of time, as long as the block runs."""

    def retention(self) -> RetentionStore:
        """Return what removes days from the store."""

    def migrate(self) -> list[str]:
        """Bring the tables up to date; returns what was applied."""

    def report(self) -> StoreReport:
        """Ask the server how it is."""


def store_kind(settings: Settings) -> StoreKind:
    """Return the kind of the store. Raises ConfigurationError when no URL is set."""
    from zero.bootstrap.clickhouse import ClickHouseKind
    from zero.bootstrap.postgres import PostgresKind

    if not settings.store:
        raise ConfigurationError(
            "ZERO_CLICKHOUSE_URL and ZERO_STORE_URL are empty: set one, or run `zero up`, which starts a store of its own"
        )
    return PostgresKind(settings) if urlsplit(settings.store).scheme in POSTGRES_SCHEMES else ClickHouseKind(settings)
