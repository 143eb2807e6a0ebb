"""Words and vectors are made in the background, through outages."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from zero.application.background import end
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.upkeep import MeaningUpkeep, Surroundings, UpkeepOptions, document, pattern_stems
from zero.application.ports import PatternText, Vector
from zero.domain.errors import Overloaded, StoreUnavailable, Unavailable
from zero.infrastructure.memory import ManualClock, MemoryTelemetry
from zero.infrastructure.memory.meaning import SpellingEmbedder


class Shelf:
    """A MeaningStore that is two dicts. Raises ``failure`` while it is set."""

    def __init__(self, *patterns: PatternText) -> None:
        self.patterns = list(patterns)
        self.words: dict[int, Sequence[str]] = {}
        self.vectors: dict[tuple[str, int], Vector] = {}
        self.failure: Exception | None = None

    async def without_words(self, limit: int) -> Sequence[PatternText]:
        await asyncio.sleep(0)  # as a store would: others get their turn
        if self.failure:
            raise self.failure
        return [one for one in self.patterns if one.pattern_id not in self.words][:limit]

    async def without_vector(self, embedder: str, limit: int) -> Sequence[PatternText]:
        return [one for one in self.patterns if (embedder, one.pattern_id) not in self.vectors][:limit]

    async def put_words(self, patterns: Sequence[PatternText], words: Sequence[Sequence[str]]) -> None:
        self.words |= {one.pattern_id: stems for one, stems in zip(patterns, words, strict=True)}

    async def put_vectors(self, embedder: str, patterns: Sequence[PatternText], vectors: Sequence[Vector]) -> None:
        self.vectors |= {(embedder, one.pattern_id): vector for one, vector in zip(patterns, vectors, strict=True)}

    async def forget_all_but(self, embedder: str) -> None:
        self.vectors = {key: vector for key, vector in self.vectors.items() if key[0] == embedder}

    async def index_vectors(self) -> None:
        pass


class MemoryDuty:
    """A Duty that nobody else wants."""

    held = False

    async def take(self) -> bool:
        self.held = True
        return True

    async def leave(self) -> None:
        self.held = False


def pattern(number: int, text: str = "Failed password for <*>") -> PatternText:
    return PatternText("default", number, text, "openSSH")


async def working(shelf: Shelf, embedder: SpellingEmbedder, telemetry: MemoryTelemetry, until: int) -> None:
    """Run the upkeep until there are that many vectors."""
    shelves = Embedders(embedder.name, {embedder.name: lambda: embedder})
    upkeep = asyncio.create_task(MeaningUpkeep(shelf, shelves, ManualClock(), telemetry).run())
    try:
        async with asyncio.timeout(5):
            while len(shelf.vectors) < until:  # noqa: ASYNC110 - the store is a dict, which tells nobody
                await asyncio.sleep(0)
    finally:
        await end(upkeep)


def test_the_app_and_the_words_of_identifiers_stand_for_a_pattern() -> None:
    one = pattern(1, "NameSystem.addStoredBlock: blk_<*>")
    assert document(one) == "Name System add Stored Block blk (open SSH)"
    assert {"ssh", "stor", "block", "add"} <= set(pattern_stems(one))
    assert document(PatternText("t", 1, "<*>", "")) == "unknown"


async def test_every_pattern_gets_words_and_a_vector_in_batches() -> None:
    shelf, embedder = Shelf(*(pattern(number) for number in range(10))), SpellingEmbedder()
    upkeep = MeaningUpkeep(
        shelf,
        Embedders(embedder.name, {embedder.name: lambda: embedder}),
        ManualClock(),
        MemoryTelemetry(),
        UpkeepOptions(words_batch=4, vectors_batch=3),
    )
    steps = [await upkeep.step() for _ in range(5)]
    assert steps == [7, 7, 5, 1, 0]
    assert len(shelf.words) == len(shelf.vectors) == 10


async def test_what_other_embedders_made_goes_when_everything_is_there() -> None:
    shelf, embedder = Shelf(pattern(1)), SpellingEmbedder()
    shelf.vectors[("old", 1)] = [1.0]
    upkeep = MeaningUpkeep(shelf, Embedders(embedder.name, {embedder.name: lambda: embedder}), ManualClock(), MemoryTelemetry())
    await upkeep.step()
    assert ("old", 1) in shelf.vectors
    await upkeep.step()
    assert list(shelf.vectors) == [(embedder.name, 1)]


@pytest.mark.parametrize("failure", [StoreUnavailable("down"), Unavailable("no answer"), Overloaded("enough for this hour")])
async def test_an_outage_is_waited_out_and_told_once(failure: Exception) -> None:
    shelf, embedder, telemetry = Shelf(*(pattern(number) for number in range(3))), SpellingEmbedder(), MemoryTelemetry()
    if isinstance(failure, StoreUnavailable):
        shelf.failure = failure
    else:
        embedder.failure = failure

    async def recover() -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        shelf.failure = embedder.failure = None

    recovering = asyncio.create_task(recover())
    await working(shelf, embedder, telemetry, 3)
    await recovering
    assert [event.name for event in telemetry.events if event.name == "embedding_halted"] == ["embedding_halted"]


@pytest.mark.parametrize("failure", [Overloaded("enough", retry_after_seconds=3600), Unavailable("no answer")])
async def test_words_are_made_while_the_vectors_wait_for_the_embedder(failure: Exception) -> None:
    shelf, embedder, clock, telemetry = Shelf(pattern(1)), SpellingEmbedder(), ManualClock(), MemoryTelemetry()
    embedder.failure = failure
    upkeep = MeaningUpkeep(shelf, Embedders(embedder.name, {embedder.name: lambda: embedder}), clock, telemetry)
    running = asyncio.create_task(upkeep.run())
    try:
        async with asyncio.timeout(30):
            for number in range(2, 6):
                put_at = clock.monotonic()
                while len(shelf.words) < number - 1:  # noqa: ASYNC110 - the store is a dict, which tells nobody
                    await asyncio.sleep(0)
                assert clock.monotonic() < put_at + 60 and not shelf.vectors
                shelf.patterns.append(pattern(number))
            embedder.failure = None
            while len(shelf.vectors) < 5:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
    finally:
        await end(running)
    assert clock.monotonic() >= getattr(failure, "retry_after_seconds", 0)
    assert [event.name for event in telemetry.events if event.name == "embedding_halted"] == ["embedding_halted"]


async def test_the_duty_is_left_to_who_may_reach_an_embedder_that_this_process_cannot() -> None:
    shelf, embedder, duty, clock = Shelf(pattern(1)), SpellingEmbedder(), MemoryDuty(), ManualClock()
    shelves = Embedders(embedder.name, {embedder.name: lambda: embedder})
    upkeep = MeaningUpkeep(shelf, shelves, clock, MemoryTelemetry(), around=Surroundings(duty=duty))
    embedder.failure = Overloaded("enough")
    assert (await upkeep.step(), duty.held) == (1, True)  # else as many would pay as there are processes
    clock.advance(60)
    embedder.failure = Unavailable("no answer")
    assert (await upkeep.step(), duty.held) == (0, False)
    shelf.patterns.append(pattern(2))
    assert (await upkeep.step(), duty.held, len(shelf.words)) == (1, False, 2)
    clock.advance(60)
    embedder.failure = None
    assert (await upkeep.step(), duty.held, len(shelf.vectors)) == (2, True, 2)


async def test_a_search_keeps_to_the_old_embedder_until_the_new_one_has_as_much() -> None:
    old, new = SpellingEmbedder(), SpellingEmbedder()
    shelf = Embedders("new", {"new": lambda: new, "old": lambda: old})
    assert shelf.choose({}) is new
    assert shelf.choose({"old": 10, "new": 9}) is old
    assert shelf.choose({"old": 10, "new": 10}) is new
    assert shelf.choose({"gone": 10, "new": 1}) is new


async def test_a_question_asked_again_is_not_embedded_again_and_few_are_remembered() -> None:
    embedder = SpellingEmbedder()
    shelf = Embedders(embedder.name, {embedder.name: lambda: embedder})
    for text in ["why", "why", *(f"question {number}" for number in range(256)), "why"]:
        await shelf.question(embedder, text)
    assert embedder.asked.count("why") == 2


async def test_while_nothing_is_put_it_looks_seldom_and_soon_after_something_was() -> None:
    shelf, embedder, clock, puts = Shelf(), SpellingEmbedder(), ManualClock(), [0]
    looks: list[float] = []

    async def without_words(limit: int) -> Sequence[PatternText]:
        await asyncio.sleep(0)
        looks.append(clock.monotonic())
        if len(looks) == 3:
            puts[0] += 1
        return []

    shelf.without_words = without_words
    shelves, options = Embedders(embedder.name, {embedder.name: lambda: embedder}), UpkeepOptions()
    around = Surroundings(lambda: puts[0])
    upkeep = asyncio.create_task(MeaningUpkeep(shelf, shelves, clock, MemoryTelemetry(), options, around).run())
    try:
        async with asyncio.timeout(30):
            while len(looks) < 5:  # noqa: ASYNC110 - the clock is its own
                await asyncio.sleep(0)
    finally:
        await end(upkeep)
    pauses = [later - earlier for earlier, later in pairwise(looks)][:4]
    assert pauses == [options.idle_seconds, options.idle_seconds, options.look_seconds, options.idle_seconds]
