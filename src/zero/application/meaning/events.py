"""What the upkeep of meanings reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class PatternsEmbedded(Event):
    """Patterns got their vectors."""

    name: ClassVar[str] = "patterns_embedded"
    level: ClassVar[str | None] = "debug"
    amounts: ClassVar[tuple[str, ...]] = ("patterns",)
    timings: ClassVar[tuple[str, ...]] = ("seconds",)
    help: ClassVar[str] = "Batches of patterns that got their vectors"
    about: ClassVar[Mapping[str, str]] = {
        "patterns": "Patterns that got their vectors",
        "seconds": "Time to make and store the vectors of a batch",
    }

    embedder: str
    patterns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EmbeddingHalted(Event):
    """Patterns could not get their vectors; it is tried again. Searches by text go on."""

    name: ClassVar[str] = "embedding_halted"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times patterns could not get their vectors, counted once an outage"

    message: str


@dataclass(frozen=True, slots=True)
class QuestionsHalted(Event):
    """Questions could not get their vectors; those of mode hybrid were answered by words alone."""

    name: ClassVar[str] = "questions_halted"
    level: ClassVar[str | None] = "warning"
    help: ClassVar[str] = "Times questions could not get their vectors, counted at most once a minute"

    message: str
