"""What the keeper of the store tells about its work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class StoreMeasured(Event):
    """What the store takes on disk, and what it may take (0: no bound); how many parts no search sees."""

    name: ClassVar[str] = "store"
    gauges: ClassVar[tuple[str, ...]] = ("disk_bytes", "limit_bytes", "broken_parts")
    counted: ClassVar[bool] = False
    about: ClassVar[Mapping[str, str]] = {
        "disk_bytes": "What the store's tables take on disk, as the drain of the first shard sees it",
        "limit_bytes": "What they may take (ZERO_RETENTION_BYTES); 0 is no bound",
        "broken_parts": "Detached parts of the store's tables, broken or taken out by hand: no search sees their rows",
    }

    disk_bytes: int
    limit_bytes: int
    broken_parts: int = 0


@dataclass(frozen=True, slots=True)
class PartBroken(Event):
    """A part of the store cannot be read and is taken out of every search; its files are kept."""

    name: ClassVar[str] = "part_broken"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "Parts of the store that were found detached, or that could not be read and were detached"

    part: str
    reason: str


@dataclass(frozen=True, slots=True)
class EntriesExpired(Event):
    """Entries are removed from the store, because of their age or because of its size."""

    name: ClassVar[str] = "retention_removed"
    level: ClassVar[str | None] = "info"
    labels: ClassVar[tuple[str, ...]] = ("reason",)
    amounts: ClassVar[tuple[str, ...]] = ("entries",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("age",), ("size",))
    help: ClassVar[str] = "Times that the keeper removed entries from the store; reason is age or size"
    about: ClassVar[Mapping[str, str]] = {"entries": "Entries that the keeper removed from the store; reason is age or size"}

    reason: str
    entries: int
    first_day: int


@dataclass(frozen=True, slots=True)
class RetentionShort(Event):
    """The store is above its size, and only the days that always stay are left."""

    name: ClassVar[str] = "retention_short"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Looks at which the store was above ZERO_RETENTION_BYTES with nothing left that may go"

    disk_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class RetentionFailed(Event):
    """Buffer or store did not let retention do its work; the next round tries again."""

    name: ClassVar[str] = "retention_failed"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Rounds of retention that failed"

    message: str
