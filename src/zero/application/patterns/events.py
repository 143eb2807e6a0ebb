"""What the catalogue of patterns reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class PatternsCatalogued(Event):
    """New patterns were put into the catalogue, which now holds ``patterns`` of all tenants."""

    name: ClassVar[str] = "patterns_catalogued"
    level: ClassVar[str | None] = "debug"
    amounts: ClassVar[tuple[str, ...]] = ("added",)
    gauges: ClassVar[tuple[str, ...]] = ("patterns",)
    help: ClassVar[str] = "Times new patterns were put into the catalogue"
    about: ClassVar[Mapping[str, str]] = {
        "added": "Patterns put into the catalogue",
        "patterns": "Patterns in the catalogue, of all tenants",
    }

    added: int
    patterns: int


@dataclass(frozen=True, slots=True)
class PatternsHalted(Event):
    """The catalogue could not be kept; it is tried again."""

    name: ClassVar[str] = "patterns_halted"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times the catalogue of patterns could not be kept, counted once an outage"

    message: str


@dataclass(frozen=True, slots=True)
class PatternsRefused(Event):
    """A tenant has as many patterns as the catalogue takes: entries with others are found, but belong to no pattern."""

    name: ClassVar[str] = "patterns_refused"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times a tenant reached the bound of its patterns, counted once a process"

    limit: int
