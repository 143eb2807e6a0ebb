"""What ClickHouse in the place of the buffer reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class InsertForgotten(Event):
    """An insert failed after its entries had been acknowledged: they are lost."""

    name: ClassVar[str] = "insert_forgotten"
    level: ClassVar[str | None] = "error"
    amounts: ClassVar[tuple[str, ...]] = ("entries",)
    help: ClassVar[str] = "Inserts that failed after their entries had been acknowledged (ZERO_PIPELINE=fire-and-forget)"
    about: ClassVar[Mapping[str, str]] = {"entries": "Acknowledged entries that are lost (ZERO_PIPELINE=fire-and-forget)"}

    entries: int
    message: str
