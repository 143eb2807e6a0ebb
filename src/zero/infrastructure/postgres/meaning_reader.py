"""Ranking the patterns of one tenant by a question: words by their stems where they lie, vectors by their cosine in numpy."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from zero.application.meaning.scoring import LENGTH_SHARE, WordWeights, own_stems, word_weights
from zero.application.ports import Mode, Question, Ranked, RankedTexts, Scope
from zero.infrastructure.postgres.meaning_store import NUMBERS
from zero.infrastructure.postgres.reader import PostgresReader, scope_condition
from zero.infrastructure.postgres.rows import Row
from zero.infrastructure.postgres.values import from_text, signed, to_text, unsigned

_VECTORS_AT_ONCE = 4_000


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pattern with entries in the scope; ids as the columns hold them."""

    pattern: int
    group: int
    count: int
    score: float
    words: float
    cosine: float


class PostgresMeaningReader:
    """Implements MeaningReader over the queries, and within the bounds, of a PostgresReader."""

    def __init__(self, reader: PostgresReader) -> None:
        self._reader = reader

    async def embedded(self, tenant: str) -> Mapping[str, int]:
        """Count the vectors."""
        sql = "SELECT embedder, count(*) FROM pattern_vectors WHERE tenant = %(tenant)s GROUP BY embedder"
        return {from_text(name): count for name, count in await self._reader.ask(sql, {"tenant": to_text(tenant)})}

    async def rank(self, scope: Scope, question: Question, limit: int) -> Sequence[Ranked]:
        """Weigh the words, then score every pattern with entries in the scope."""
        counts = await self._counts(scope)
        textual = await self._textual(scope.tenant, question)
        cosines = {} if question.mode is Mode.TEXT else await self._cosines(scope.tenant, question, [row[0] for row in counts])
        of_group: dict[int, int] = {}
        for _, group, count in counts:
            of_group[group] = of_group.get(group, 0) + count
        scored = []
        for pattern, group, _ in counts:
            words, cosine = textual.get(pattern, 0.0), cosines.get(pattern, 0.0)
            score = _score(question, words, cosine)
            if score > 0:
                scored.append(_Candidate(pattern, group, of_group[group], score, words, cosine))
        return [_ranked(one) for one in _best(scored, question.by_group, limit)]

    async def texts(self, tenant: str, pattern_ids: Sequence[int]) -> Mapping[int, RankedTexts]:
        """Look them up in the catalogue."""
        sql = (
            "SELECT pattern_id, text, group_text, example FROM patterns WHERE tenant = %(tenant)s"
            " AND pattern_id = ANY(%(patterns)s::bigint[])"
        )
        rows = await self._reader.ask(sql, {"tenant": to_text(tenant), "patterns": [signed(one) for one in pattern_ids]})
        return {unsigned(row[0]): RankedTexts(*(from_text(text) for text in row[1:])) for row in rows}

    async def _counts(self, scope: Scope) -> Sequence[Row]:
        """Return (pattern, group, entries of the pattern): the catalogue alone knows when nothing narrows the search."""
        if scope.is_everything:
            sql = "SELECT pattern_id, group_id, count FROM patterns WHERE tenant = %(tenant)s"
            return await self._reader.ask(sql, {"tenant": to_text(scope.tenant)})
        condition, parameters = scope_condition(scope)
        counted = f"SELECT pattern_id, count(*) AS counted FROM logs WHERE {condition} GROUP BY pattern_id"
        sql = (
            f"SELECT pattern_id, group_id, counted FROM ({counted}) AS counts"
            " JOIN (SELECT pattern_id, group_id FROM patterns WHERE tenant = %(tenant)s) AS groups USING (pattern_id)"
        )
        return await self._reader.ask(sql, parameters)

    async def _weights(self, tenant: str, question: Question) -> WordWeights:
        own = own_stems(question)
        sql = (
            "SELECT word, count(*), avg(words)::float8 FROM pattern_words"
            " WHERE tenant = %(tenant)s AND word = ANY(%(own)s::text[]) GROUP BY word"
        )
        rows = await self._reader.ask(sql, {"tenant": to_text(tenant), "own": ["", *map(to_text, own)]})
        return word_weights(own, {from_text(word): (count, mean) for word, count, mean in rows})

    async def _textual(self, tenant: str, question: Question) -> dict[int, float]:
        """Return how much of the question's weight the words of a pattern answer, the best for each.

        Only the rows of words that answer something are read: the key begins with the tenant and the word.
        """
        weighed = await self._weights(tenant, question)
        parameters: dict[str, Any] = {"tenant": to_text(tenant)}
        parameters["stems"] = sorted({to_text(stem) for asked in question.words for stem in asked.stems})
        wanted = ["word = ANY(%(stems)s::text[])"]
        for number, asked in enumerate(question.words):
            if asked.prefix:
                parameters[f"q{number}"] = to_text(asked.prefix)
                wanted.append(f"starts_with(word, %(q{number})s::text)")
        sql = (
            "SELECT pattern_id, words, array_agg(word) FROM pattern_words WHERE tenant = %(tenant)s AND word <> ''"
            f" AND ({' OR '.join(wanted)}) GROUP BY pattern_id, words"
        )
        rows = await self._reader.ask(sql, parameters)
        return {
            pattern: _answered(question, weighed.weights, found) / _length(words, weighed.words_mean)
            for pattern, words, found in rows
        }

    async def _cosines(self, tenant: str, question: Question, patterns: Sequence[int]) -> dict[int, float]:
        asked = numpy.asarray(question.vector, NUMBERS)
        sql = (
            "SELECT pattern_id, vector FROM pattern_vectors WHERE tenant = %(tenant)s AND embedder = %(embedder)s"
            " AND pattern_id = ANY(%(patterns)s::bigint[])"
        )
        parameters: dict[str, Any] = {"tenant": to_text(tenant), "embedder": to_text(question.embedder)}
        found: dict[int, float] = {}
        for start in range(0, len(patterns), _VECTORS_AT_ONCE):
            some = list(patterns[start : start + _VECTORS_AT_ONCE])
            rows = await self._reader.ask(sql, parameters | {"patterns": some})
            found |= await asyncio.to_thread(_nearness, rows, asked)
        return found


def _answered(question: Question, weights: Sequence[float], found: Sequence[str]) -> float:
    total = sum(weights) or 1.0
    words = [from_text(word) for word in found]
    share = 0.0
    for asked, weight in zip(question.words, weights, strict=True):
        best = max(asked.stems.get(word, 0.0) for word in words)
        if asked.prefix and any(word.startswith(asked.prefix) for word in words):
            best = max(best, asked.prefix_weight)
        share += weight / total * best
    return share


def _length(words: int, words_mean: float) -> float:
    return 1 - LENGTH_SHARE + LENGTH_SHARE * words / words_mean


def _nearness(rows: Sequence[Row], asked: "numpy.ndarray[Any, Any]") -> dict[int, float]:
    rows = [row for row in rows if len(row[1]) == asked.nbytes]
    if not rows:
        return {}
    vectors = numpy.frombuffer(b"".join(row[1] for row in rows), NUMBERS).reshape(len(rows), -1)
    lengths = numpy.linalg.norm(vectors, axis=1) * numpy.linalg.norm(asked)
    cosines = numpy.divide(vectors @ asked, lengths, out=numpy.zeros(len(rows), NUMBERS), where=lengths > 0)
    return {row[0]: float(cosine) for row, cosine in zip(rows, cosines, strict=True)}


def _score(question: Question, words: float, cosine: float) -> float:
    if question.mode is Mode.TEXT:
        return words
    if question.mode is Mode.SEMANTIC:
        return cosine
    return (cosine + question.text_weight * words) / (1 + question.text_weight)


def _best(scored: Sequence[_Candidate], by_group: bool, limit: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    groups: set[int] = set()
    for one in sorted(scored, key=lambda one: (-one.score, -one.count, one.pattern)):
        if by_group and one.group in groups:
            continue
        groups.add(one.group)
        chosen.append(one)
        if len(chosen) == limit:
            break
    return chosen


def _ranked(one: _Candidate) -> Ranked:
    figures = round(one.score, 4), round(one.words, 4), round(one.cosine, 4)
    return Ranked(unsigned(one.pattern), unsigned(one.group), one.count, *figures)
