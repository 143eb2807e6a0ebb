"""What the partitions of PostgreSQL report about themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class DaysDropped(Event):
    """Days of receipt that retention has passed are no longer in the store."""

    name: ClassVar[str] = "retention"
    amounts: ClassVar[tuple[str, ...]] = ("partitions",)
    help: ClassVar[str] = "Times that days were dropped from PostgreSQL because retention has passed them"
    about: ClassVar[Mapping[str, str]] = {"partitions": "Partitions dropped from PostgreSQL, a day of receipt each"}

    partitions: int


@dataclass(frozen=True, slots=True)
class UpkeepFailed(Event):
    """The partitions could not be looked after; the next try comes by itself."""

    name: ClassVar[str] = "partition_upkeep_failed"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times that the partitions of PostgreSQL could not be looked after"

    message: str
