"""Searching by meaning: a question in plain words ranks patterns; the lines found are those of the best of them."""

import asyncio
import math
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from zero.application.background import end
from zero.application.cursor import Cursor, decode_cursor, encode_cursor, search_digest
from zero.application.limits import check_limit
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.events import QuestionsHalted
from zero.application.meaning.words import PREFIX_CHARS_MIN, PREFIX_WEIGHT, matches, question_words, split_identifiers, weights
from zero.application.ports import (
    Asked,
    Clock,
    LogReader,
    MeaningReader,
    Mode,
    Question,
    Ranked,
    RankedTexts,
    Scope,
    Telemetry,
)
from zero.application.search import Search, SearchRequest
from zero.domain.errors import InvalidInput, Overloaded, Unavailable
from zero.domain.query import And, OfPatterns
from zero.domain.stored import StoredEntry

One = TypeVar("One")
Other = TypeVar("Other")

_TELL_SECONDS = 60.0
_NUMBER = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class MeaningLimits:
    """Bounds of one search. Lines are those of up to ``patterns_max`` patterns that score ``share_min`` of the best or more."""

    question_chars: int = 4096
    patterns_limit: int = 1000
    lines_limit: int = 1000
    patterns_max: int = 50
    share_min: float = 0.6


@dataclass(frozen=True, slots=True)
class Hit:
    """A pattern that answers the question; ``matched`` pairs words of the question with words of the pattern."""

    ranked: Ranked
    texts: RankedTexts
    matched: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry and the pattern that it was found by; None when the store did not say."""

    stored: StoredEntry
    hit: Hit | None


@dataclass(frozen=True, slots=True)
class LinesPage:
    """Lines, newest first; ``next_cursor`` is None on the last page."""

    lines: Sequence[Line]
    next_cursor: str | None


class MeaningSearch:
    """Answers questions of one tenant at a time."""

    def __init__(
        self,
        search: Search,
        patterns: MeaningReader,
        logs: LogReader,
        embedders: Embedders,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._search = search
        self._patterns = patterns
        self._logs = logs
        self._embedders = embedders
        self._clock = clock
        self._telemetry = telemetry
        self._tell_at = -math.inf
        self._limits = MeaningLimits()

    async def patterns(self, request: SearchRequest, mode: Mode, limit: int) -> Sequence[Hit]:
        """Return the groups that answer ``request.query``, a question in plain words, the best first; each by its best pattern.

        Raises InvalidInput naming the field, and Unavailable when mode semantic needs an embedder that has no answer.
        """
        check_limit(limit, self._limits.patterns_limit)
        scope = self._scope(request, self._clock.now_ns())
        ranked = await self._patterns.rank(scope, await self._question(scope, request.query, mode, by_group=True), limit)
        texts = await self._patterns.texts(scope.tenant, [one.pattern_id for one in ranked])
        return _hits(ranked, texts, request.query)

    async def lines(self, request: SearchRequest, mode: Mode, limit: int, cursor: str | None = None) -> LinesPage:
        """Return one page of the entries of the patterns that answer best, newest first. Raises as ``patterns`` does."""
        check_limit(limit, self._limits.lines_limit)
        digest = search_digest(mode, request.digest().hex())
        earlier = decode_cursor(cursor, digest) if cursor else None
        now_ns = earlier.now_ns if earlier else self._clock.now_ns()
        scope = self._scope(request, now_ns)
        ranked = await self._patterns.rank(scope, await self._question(scope, request.query, mode), self._limits.patterns_max)
        best = [one for one in ranked[: self._limits.patterns_max] if one.score >= ranked[0].score * self._limits.share_min]
        if not best:
            return LinesPage([], None)
        chosen = [one.pattern_id for one in best]
        narrowed = Scope(scope.tenant, And((OfPatterns(frozenset(chosen)), scope.query)), scope.from_ns, scope.to_ns)
        texts, found = await _both(
            self._patterns.texts(scope.tenant, chosen),
            self._logs.latest(narrowed, limit + 1, earlier.key if earlier else None),
        )
        hits = {hit.ranked.pattern_id: hit for hit in _hits(best, texts, request.query)}
        lines = [Line(stored, None if stored.pattern_id is None else hits.get(stored.pattern_id)) for stored in found[:limit]]
        if len(found) <= limit:
            return LinesPage(lines, None)
        return LinesPage(lines, encode_cursor(Cursor(now_ns, lines[-1].stored.key), digest))

    async def about(self, tenant: str, text: str, limit: int) -> Sequence[int]:
        """Return the ids of up to ``limit`` groups that have to do with the text. Raises as ``patterns`` does."""
        self._check_question(text, "about")
        hits = await self.patterns(SearchRequest(tenant, text), Mode.HYBRID, limit)
        enough = hits[0].ranked.score * self._limits.share_min if hits else 0.0
        return [hit.ranked.group_id for hit in hits if hit.ranked.score >= enough]

    async def _question(self, scope: Scope, text: str, mode: Mode, *, by_group: bool = False) -> Question:
        words = [_asked(word) for word in question_words(text)]
        if mode is not Mode.TEXT:
            embedder = self._embedders.choose(await self._patterns.embedded(scope.tenant))
            try:
                vector = await self._embedders.question(embedder, split_identifiers(text))
                return Question(mode, words, embedder.name, vector, embedder.text_weight, by_group)
            except (Unavailable, Overloaded) as error:
                self._tell(error.message)
                if mode is Mode.SEMANTIC:  # what the embedder says is for those who run it
                    message = "the embedder has no answer now: ask with mode hybrid or text, which go on by words"
                    raise Unavailable(message, retry_after_seconds=error.retry_after_seconds) from error
        return Question(Mode.TEXT, words, by_group=by_group)

    def _tell(self, message: str) -> None:
        now = self._clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            self._telemetry.emit(QuestionsHalted(message))

    def _scope(self, request: SearchRequest, now_ns: int) -> Scope:
        self._check_question(request.query, "query")
        return self._search.scope(replace(request, query=""), now_ns)

    def _check_question(self, text: str, field: str) -> None:
        if len(text) > self._limits.question_chars:
            raise InvalidInput(f"the question is longer than {self._limits.question_chars} characters", field=field)
        if split_identifiers(text):
            return
        if number := _NUMBER.search(text):
            message = f"digits do not count here: ask in words, or look for them: zero search {number[0]}"
            raise InvalidInput(message, field=field)
        raise InvalidInput("ask in words, such as: payments are slow", field=field)


def _asked(word: str) -> Asked:
    return Asked(weights(word), word if len(word) >= PREFIX_CHARS_MIN else "", PREFIX_WEIGHT)


def _hits(ranked: Sequence[Ranked], texts: Mapping[int, RankedTexts], question: str) -> list[Hit]:
    words = question_words(question)
    known = [(one, texts[one.pattern_id]) for one in ranked if one.pattern_id in texts]
    return [Hit(one, of, list(matches(words, of.text))) for one, of in known]


async def _both(one: Coroutine[Any, Any, One], other: Coroutine[Any, Any, Other]) -> tuple[One, Other]:
    """Wait for both at once; where one fails the other is ended before the error is raised."""
    tasks = asyncio.create_task(one), asyncio.create_task(other)
    try:
        return await asyncio.gather(*tasks)
    finally:
        await end(*tasks)
