"""What is called out of the ordinary: new, vanished, more and fewer, each with its evidence; and what is not."""

import random

import pytest

from zero.application.patterns.anomalies import Anomalies, Anomaly
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry
from zero.domain.errors import InvalidInput
from zero.domain.stored import StoredEntry
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import ManualClock
from zero.infrastructure.memory.patterns import MemoryPatternReader
from zero.infrastructure.memory.reader import MemoryReader

NOW_S = 1_795_341_600
HOUR = 3600


class World:
    """A day of logs that ends now."""

    def __init__(self) -> None:
        self.reader, clock = MemoryReader(), ManualClock(NOW_S * 10**9)
        self.search = Search(LuceneParser(), self.reader, clock)
        self.patterns, self.clock = MemoryPatternReader(self.reader), clock
        self.anomalies = Anomalies(self.search, self.patterns, clock)

    def log(self, message: str, hours_ago: float, count: int = 1, app_id: str = "shop") -> None:
        for number in range(count):
            at_ns = int((NOW_S - hours_ago * HOUR) * 10**9) + number * 1000
            entry = LogEntry(message, at_ns, app_id=app_id)
            self.reader.stored.append(("default", StoredEntry(batch_id(at_ns // 10**6, 1, 0), number, entry)))

    def steady(self, message: str, an_hour: int, hours: range, spread: int = 0) -> None:
        chance = random.Random(message)
        for hour in hours:
            self.log(message, hour + 0.5, an_hour + chance.randint(-spread, spread))

    async def found(self, about: str = "", limit: int = 100, **given: str) -> dict[str, Anomaly]:
        comparison = await self.anomalies.find(SearchRequest("default", **given), about, limit)
        return {anomaly.text: anomaly for anomaly in comparison.anomalies}


@pytest.fixture
def world() -> World:
    world = World()
    world.steady("heartbeat", 60, range(24), spread=5)
    return world


async def test_each_kind_is_told_with_its_evidence(world: World) -> None:
    world.steady("gone since", 40, range(1, 24))
    world.steady("bursting", 5, range(1, 24), spread=2)
    world.log("bursting", 0.2, 200)
    world.steady("waning now", 100, range(1, 24))
    world.log("waning now", 0.3, 10)
    world.log("brand new", 0.4)
    found = await world.found()
    kinds = {text: anomaly.kind for text, anomaly in found.items()}
    assert kinds == {"gone since": "vanished", "bursting": "more", "waning now": "fewer", "brand new": "new"}
    assert next(iter(found)) == "bursting"
    gone = found["gone since"]
    assert (gone.observed, gone.expected, len(gone.baseline)) == (0, 40, 22)
    assert found["brand new"].first_seen_ns >= (NOW_S - HOUR) * 10**9


async def test_usual_noise_is_no_anomaly(world: World) -> None:
    for number in range(20):
        world.steady(f"noise {number:02}", 30, range(24), spread=10)
    assert await world.found() == {}


async def test_one_bad_hour_before_does_not_hide_the_next(world: World) -> None:
    world.steady("errors", 10, range(1, 24), spread=3)
    world.log("errors", 5.5, 5000)
    world.log("errors", 0.5, 5000)
    assert (await world.found())["errors"].kind == "more"


async def test_a_query_an_app_and_a_limit_narrow_what_is_looked_at(world: World) -> None:
    world.log("new in shop", 0.5)
    world.log("new in bank", 0.5, app_id="bank")
    assert set(await world.found(app_id="bank")) == {"new in bank"}
    assert set(await world.found(query="shop")) == {"new in shop"}
    assert len(await world.found(limit=1)) == 1


async def test_little_history_is_cut_into_shorter_stretches(world: World) -> None:
    world.reader.stored.clear()
    for minute in range(90):
        world.log("tick", minute / 60, 10)
    world.log("burst", 0.2)
    found = await world.found()
    assert set(found) == {"burst"}


async def test_without_any_history_nothing_is_strange() -> None:
    world = World()
    assert await world.found() == {}
    world.log("first ever", 0.5)
    assert await world.found() == {}


async def test_a_history_too_short_to_compare_with_is_told_as_none() -> None:
    world = World()
    world.log("tick", 7 * 24 + 1)
    comparison = await world.anomalies.find(SearchRequest("default", start="-7d"))
    assert comparison.baseline_from_ns == comparison.from_ns


async def test_meaning_narrows_the_answer_where_it_can_be_asked(world: World) -> None:
    world.log("card refused", 0.5)
    world.log("disk full", 0.5)
    with pytest.raises(InvalidInput):
        await world.found(about="payments")
    identities = {text: anomaly.id for text, anomaly in (await world.found()).items()}

    async def about(tenant: str, text: str, limit: int) -> list[int]:
        assert (tenant, text) == ("default", "payments")
        return [identities["card refused"]]

    world.anomalies = Anomalies(world.search, world.patterns, world.clock, about)
    assert set(await world.found(about="payments")) == {"card refused"}


@pytest.mark.parametrize("given", [{"start": "now", "end": "-1h"}, {"start": "-1h", "end": "-1h"}])
async def test_an_empty_window_is_refused(world: World, given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.found(**given)
    assert refused.value.field == "from"
