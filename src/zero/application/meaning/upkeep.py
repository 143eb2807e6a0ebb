"""Giving every pattern its words and its vector, once, in the background: lines then need neither."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zero.application.meaning.embedders import Embedders
from zero.application.meaning.events import EmbeddingHalted, PatternsEmbedded
from zero.application.meaning.words import split_identifiers, text_terms
from zero.application.ports import Clock, Duty, Embedder, MeaningStore, PatternText, Telemetry, Vector
from zero.domain.errors import InvalidInput, Overloaded, StoreHalted, Unavailable, ZeroError

_TELL_SECONDS = 600.0  # where a bound of cost is reached again and again, it is told this often


@dataclass(frozen=True, slots=True)
class UpkeepOptions:
    """How often patterns without words or a vector are looked for, and how many are worked on at once.

    After a look that found none the next one waits at least ``look_seconds``, and ``rest_factor`` times as long as the look
    took. Then it begins as soon as patterns were put, where that is known (Surroundings), else after ``idle_seconds``. Vectors
    that nobody needs any more are dropped every ``forget_seconds``.
    """

    look_seconds: float = 2.0
    idle_seconds: float = 10.0
    rest_factor: float = 20.0
    words_batch: int = 2_000
    vectors_batch: int = 1_000
    forget_seconds: float = 600.0
    retry_seconds_max: float = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``puts`` counts how often this process put patterns; ``duty`` says whether the upkeep is this process's to do."""

    puts: Callable[[], int] | None = None
    duty: Duty | None = None


class MeaningUpkeep:
    """Works for as long as ``run`` runs, while it has the duty, if there is one: of several processes one works, so that each
    pattern is embedded once.
    """

    def __init__(
        self,
        store: MeaningStore,
        embedders: Embedders,
        clock: Clock,
        telemetry: Telemetry,
        options: UpkeepOptions | None = None,
        around: Surroundings | None = None,
    ) -> None:
        around = around or Surroundings()
        self._puts, self._duty = around.puts, around.duty
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._telemetry = telemetry
        self._options = options or UpkeepOptions()
        self._forget_at: float | None = None
        self._failures, self._vectors_at, self._tell_at = 0, -math.inf, -math.inf
        self._elsewhere = False  # whether another process may reach the embedder that this one cannot

    async def run(self) -> None:
        """Work until cancelled; outages of the store are waited out, and only the vectors wait for the embedder."""
        pause, halted = 1.0, False
        while True:
            started, puts = self._clock.monotonic(), self._puts() if self._puts else 0
            try:
                done = await self.step()
                pause, halted = 1.0, False
            except (Unavailable, Overloaded, StoreHalted, InvalidInput) as error:
                if not halted:
                    self._telemetry.emit(EmbeddingHalted(error.message))
                halted = True
                if self._duty and isinstance(error, Unavailable):
                    await self._duty.leave()  # another process may reach what this one cannot
                await self._clock.sleep(max(pause, _asked_to_wait(error)))
                pause = min(2 * pause, self._options.retry_seconds_max)
                continue
            if not done:
                await self._rest(self._clock.monotonic() - started, puts)

    async def _rest(self, took: float, puts: int) -> None:
        """Wait for the next look after one that took so long and began when so many puts were known."""
        await self._clock.sleep(max(self._options.look_seconds, took * self._options.rest_factor))
        now = self._clock.monotonic()
        until = now + self._options.idle_seconds - self._options.look_seconds
        if self._vectors_at > now:
            until = min(until, self._vectors_at)
        while self._puts and self._puts() == puts and self._clock.monotonic() < until:
            await self._clock.sleep(self._options.look_seconds / 2)

    async def step(self) -> int:
        """Do one batch of what is missing, words first; returns how many patterns it was about; none without the duty."""
        if self._duty and not await self._duty.take():
            return 0
        patterns = await self._store.without_words(self._options.words_batch)
        if patterns:
            await self._store.put_words(patterns, [pattern_stems(pattern) for pattern in patterns])
        done = len(patterns) + await self._embed()
        if self._duty and self._elsewhere:
            await self._duty.leave()
        return done

    async def _embed(self) -> int:
        """Make and store the vectors of one batch: what was paid for is kept whatever comes of the next."""
        name, started = self._embedders.current, self._clock.monotonic()
        if started < self._vectors_at:
            return 0
        embedder = self._embedders.get(name)
        patterns = await self._store.without_vector(name, min(self._options.vectors_batch, embedder.batch_texts))
        if patterns:
            vectors = await self._vectors(embedder, [document(pattern) for pattern in patterns])
            if vectors is None:
                return 0
            await self._store.put_vectors(name, patterns, vectors)
            self._telemetry.emit(PatternsEmbedded(name, len(patterns), self._clock.monotonic() - started))
        elif self._forget_at is None or started >= self._forget_at:
            await self._store.forget_all_but(name)
            await self._store.index_vectors()
            self._forget_at = started + self._options.forget_seconds
        return len(patterns)

    async def _vectors(self, embedder: Embedder, texts: Sequence[str]) -> Sequence[Vector] | None:
        """Return the vectors; None when the embedder has none now: they then wait, longer each time."""
        try:
            vectors = await embedder.embed(texts)
        except (Unavailable, Overloaded, InvalidInput) as error:
            now, pause = self._clock.monotonic(), min(2.0**self._failures, self._options.retry_seconds_max)
            self._elsewhere = isinstance(error, Unavailable)
            if not self._failures and (self._elsewhere or now >= self._tell_at):
                self._telemetry.emit(EmbeddingHalted(error.message))
                self._tell_at = now + _TELL_SECONDS
            self._failures = min(self._failures + 1, 30)
            self._vectors_at = now + max(pause, _asked_to_wait(error))
            return None
        self._failures, self._elsewhere = 0, False
        return vectors


def _asked_to_wait(error: ZeroError) -> float:
    return error.retry_after_seconds if isinstance(error, Overloaded | Unavailable) else 0.0


def document(pattern: PatternText) -> str:
    """Return the text that stands for a pattern: its identifiers as words, its app in brackets."""
    text, app = split_identifiers(pattern.text), split_identifiers(pattern.app_id)
    return f"{text} ({app})" if app else text or "unknown"


def pattern_stems(pattern: PatternText) -> list[str]:
    """Return the terms that answer words of a question."""
    return list(text_terms(f"{pattern.app_id} {pattern.text}"))
