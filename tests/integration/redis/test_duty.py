"""Of several processes one embeds patterns: the holder of a key in the buffer, under the embedded server's access list."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.patience import READY_SECONDS_MAX
from tests.unit.application.meaning.test_upkeep import Shelf, pattern
from zero.application.background import end
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.upkeep import MeaningUpkeep, Surroundings, UpkeepOptions
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.memory.meaning import SpellingEmbedder
from zero.infrastructure.redis.duty import RedisDuty
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.system.clock import SystemClock

LEASE_SECONDS = 4.0  # longer than a busy machine stalls
Duties = Callable[[], RedisDuty]


@pytest.fixture
async def duties(redis_url: str, namespace: str) -> AsyncIterator[Duties]:
    made: list[RedisDuty] = []

    def make() -> RedisDuty:
        options = RedisOptions(redis_url, namespace=namespace, timeout_seconds=2.0)
        made.append(RedisDuty(options, "trial", LEASE_SECONDS))
        return made[-1]

    yield make
    for duty in made:
        await duty.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_SECONDS_MAX):
        while not condition():  # noqa: ASYNC110 - a store of dicts tells nobody
            await asyncio.sleep(0.02)


async def test_one_of_many_has_it_until_it_leaves(duties: Duties) -> None:
    several = [duties() for _ in range(5)]
    taken = await asyncio.gather(*(duty.take() for duty in several))
    assert taken.count(True) <= 1  # who asks in the same moment may both be told no
    holder = several[taken.index(True)] if any(taken) else several[0]
    assert await holder.take()
    other = next(duty for duty in several if duty is not holder)
    assert not await other.take()
    await holder.leave()
    assert await other.take()
    assert not await holder.take()


async def test_each_pattern_is_embedded_once_and_another_goes_on_when_the_first_dies(duties: Duties) -> None:
    shelf, clock = Shelf(*(pattern(number, f"text {number}") for number in range(10))), SystemClock()
    embedders = [SpellingEmbedder(), SpellingEmbedder()]
    for one in embedders:
        one.embed = _slowly(one.embed)  # type: ignore[method-assign]
    options = UpkeepOptions(look_seconds=0.02, idle_seconds=0.02, vectors_batch=2)
    working = []
    first, second = duties(), duties()
    assert await first.take()
    for duty, one in zip((first, second), embedders, strict=True):
        shelf_of = Embedders(one.name, {one.name: lambda one=one: one})  # type: ignore[misc]
        upkeep = MeaningUpkeep(shelf, shelf_of, clock, MemoryTelemetry(), options, Surroundings(duty=duty))
        working.append(asyncio.create_task(upkeep.run()))
    try:
        await until(lambda: len(shelf.vectors) == 10)
        await asyncio.sleep(1.2 * LEASE_SECONDS)  # it is renewed
        shelf.patterns += [pattern(number, f"text {number}") for number in range(10, 16)]
        await until(lambda: len(shelf.vectors) == 16)
        assert (len(embedders[0].asked), embedders[1].asked) == (16, [])

        assert first._renewing
        await end(working[0], first._renewing)  # it does not say goodbye
        shelf.patterns += [pattern(number, f"text {number}") for number in range(16, 20)]
        await until(lambda: len(shelf.vectors) == 20)
        assert (len(embedders[0].asked), len(embedders[1].asked)) == (16, 4)
    finally:
        await end(*working)


def _slowly(embed: Callable[[Sequence[str]], object]) -> Callable[[Sequence[str]], object]:
    async def slow(texts: Sequence[str]) -> object:
        await asyncio.sleep(0.02)
        return await embed(texts)  # type: ignore[misc]

    return slow
