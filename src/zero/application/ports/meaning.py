"""What is known of patterns for a search by meaning: their words and their vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from zero.application.ports.embedding import Vector
from zero.application.ports.reading import Scope


class Mode(StrEnum):
    """What a search compares: matching words, vectors, or both."""

    TEXT = "text"
    SEMANTIC = "semantic"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class PatternText:
    """The masked text of a pattern, and the app of its earliest entry."""

    tenant: str
    pattern_id: int
    text: str
    app_id: str


class MeaningStore(Protocol):
    """Words and vectors of all tenants' patterns. Putting the same again does no harm. Raises StoreUnavailable, StoreHalted."""

    async def without_words(self, limit: int) -> Sequence[PatternText]:
        """Return up to ``limit`` patterns whose words are not there yet."""

    async def without_vector(self, embedder: str, limit: int) -> Sequence[PatternText]:
        """Return up to ``limit`` patterns that have no vector by this embedder."""

    async def put_words(self, patterns: Sequence[PatternText], words: Sequence[Sequence[str]]) -> None:
        """Put the stems of each pattern."""

    async def put_vectors(self, embedder: str, patterns: Sequence[PatternText], vectors: Sequence[Vector]) -> None:
        """Put the vector of each pattern."""

    async def forget_all_but(self, embedder: str) -> None:
        """Drop vectors by other embedders, and what belongs to patterns that are no more."""

    async def index_vectors(self) -> None:
        """Make the nearest vectors quick to find where there are many and the store has an index for that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One word of a question: the stems that answer it with their weights; ``prefix`` answers too, with its own weight."""

    stems: Mapping[str, float]
    prefix: str
    prefix_weight: float


@dataclass(frozen=True, slots=True)
class Question:
    """What to rank by. ``vector`` is that of ``embedder``; both are empty in mode text. ``by_group``: each group's best."""

    mode: Mode
    words: Sequence[Asked]
    embedder: str = ""
    vector: Vector = ()
    text_weight: float = 1.0
    by_group: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """A pattern with entries in the scope, of which its whole group has ``count``; its texts are asked for apart.

    ``score`` is what it is ranked by; ``words`` says how much of the question its words answer, ``nearness`` is the cosine of
    the vectors; all are at most 1.
    """

    pattern_id: int
    group_id: int
    count: int
    score: float
    words: float
    nearness: float


@dataclass(frozen=True, slots=True)
class RankedTexts:
    """The masked text of a pattern, that of its group, and a real message."""

    text: str
    group_text: str
    example: str


class MeaningReader(Protocol):
    """Patterns of one tenant, ranked. Raises StoreUnavailable, Overloaded or QueryTooExpensive."""

    async def embedded(self, tenant: str) -> Mapping[str, int]:
        """Count the tenant's patterns that have a vector, by embedder."""

    async def rank(self, scope: Scope, question: Question, limit: int) -> Sequence[Ranked]:
        """Return the patterns that answer the question, the best first."""

    async def texts(self, tenant: str, pattern_ids: Sequence[int]) -> Mapping[int, RankedTexts]:
        """Return the texts of those patterns that are still there."""
