"""Meaning without a model: patterns of a store that is a list, and vectors of how words are spelt."""

import math
from collections.abc import Mapping, Sequence

from zero.application.meaning.words import text_terms
from zero.application.ports import Asked, Mode, Question, Ranked, RankedTexts, Scope
from zero.infrastructure.memory.query_evaluator import message_id
from zero.infrastructure.memory.reader import MemoryReader


class SpellingEmbedder:
    """Implements Embedder: a text is how often it has each letter. Raises ``failure`` while it is set."""

    name = "spelling"
    dimensions = 26
    text_weight = 1.0
    batch_texts = 1_000

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Count letters."""
        if self.failure is not None:
            raise self.failure
        self.asked += texts
        return [spelling(text) for text in texts]

    async def embed_question(self, text: str) -> Sequence[float]:
        """Count letters."""
        return (await self.embed([text]))[0]


class MemoryMeaningReader:
    """Implements MeaningReader over what a MemoryReader holds: a pattern is a message, and a group of its own."""

    def __init__(self, reader: MemoryReader) -> None:
        self._reader = reader

    async def embedded(self, tenant: str) -> Mapping[str, int]:
        """Count every entry."""
        return {SpellingEmbedder.name: sum(of == tenant for of, _ in self._reader.stored)}

    async def rank(self, scope: Scope, question: Question, limit: int) -> Sequence[Ranked]:
        """Read everything."""
        counts: dict[str, int] = {}
        for stored in self._reader.found(scope):
            counts[stored.entry.message] = counts.get(stored.entry.message, 0) + 1
        ranked = [_ranked(text, count, question) for text, count in counts.items()]
        return sorted((one for one in ranked if one.score > 0), key=lambda one: (-one.score, one.pattern_id))[:limit]

    async def texts(self, tenant: str, pattern_ids: Sequence[int]) -> Mapping[int, RankedTexts]:
        """Read everything."""
        messages = {stored.entry.message for of, stored in self._reader.stored if of == tenant}
        return {message_id(text): RankedTexts(text, text, text) for text in messages if message_id(text) in pattern_ids}


def spelling(text: str) -> list[float]:
    """Return how often the text has each letter."""
    return [float(text.lower().count(chr(ord("a") + number))) for number in range(26)]


def _ranked(text: str, count: int, question: Question) -> Ranked:
    words = _answered(text, question.words)
    near = 0.0 if question.mode is Mode.TEXT else _cosine(spelling(text), question.vector)
    both = (near + question.text_weight * words) / (1 + question.text_weight)
    score = {Mode.TEXT: words, Mode.SEMANTIC: near, Mode.HYBRID: both}[question.mode]
    identity = message_id(text)
    return Ranked(identity, identity, count, score, words, near)


def _answered(text: str, asked: Sequence[Asked]) -> float:
    stems = text_terms(text)
    best = [max((one.stems.get(found, 0.0) for found in stems), default=0.0) for one in asked]
    return sum(best) / len(best) if best else 0.0


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
