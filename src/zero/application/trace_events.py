"""What is reported of our own traces."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class SpansExported(Event):
    """The collector has taken spans."""

    name: ClassVar[str] = "traces_exported"
    amounts: ClassVar[tuple[str, ...]] = ("spans",)
    help: ClassVar[str] = "Parcels of spans that the collector of traces has taken"
    about: ClassVar[Mapping[str, str]] = {"spans": "Spans that the collector of traces has taken"}

    spans: int


@dataclass(frozen=True, slots=True)
class SpansLost(Event):
    """The collector did not take spans, which are lost; nothing waits for it."""

    name: ClassVar[str] = "traces_lost"
    level: ClassVar[str | None] = "warning"
    amounts: ClassVar[tuple[str, ...]] = ("spans",)
    help: ClassVar[str] = "Parcels of spans that the collector of traces did not take"
    about: ClassVar[Mapping[str, str]] = {"spans": "Spans that the collector of traces did not take, which are lost"}

    spans: int
