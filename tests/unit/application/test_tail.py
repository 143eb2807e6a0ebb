import pytest

from zero.application.search import Search, SearchRequest
from zero.application.tail import Arrivals, Tail, TailOptions
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry
from zero.domain.errors import InvalidInput, QuerySyntaxError
from zero.domain.stored import StoredEntry
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import ManualClock
from zero.infrastructure.memory.reader import MemoryReader

NOW_S = 1_795_341_600


class Followed:
    """A tail over a store in memory."""

    def __init__(self, options: TailOptions | None = None) -> None:
        self.clock = ManualClock(NOW_S * 10**9)
        self.reader = MemoryReader()
        self.tail = Tail(Search(LuceneParser(), self.reader, self.clock), self.reader, self.clock, options)

    def store(self, message: str, accepted_s: float, index: int = 0) -> str:
        stored = StoredEntry(batch_id(int(accepted_s * 1000), 1, 0), index, LogEntry(message, int(accepted_s * 10**9)))
        self.reader.stored.append(("default", stored))
        return stored.id


def messages(arrivals: Arrivals) -> list[str]:
    return [stored.entry.message for stored in arrivals.entries]


async def test_what_arrives_is_shown_once_in_order_and_what_was_there_is_not() -> None:
    followed = Followed()
    followed.store("old", NOW_S - 5)
    arrivals = followed.tail.follow(SearchRequest("default"))
    assert messages(await anext(arrivals)) == []
    followed.store("second", NOW_S + 2)
    followed.store("first", NOW_S + 1)
    assert messages(await anext(arrivals)) == ["first", "second"]
    assert messages(await anext(arrivals)) == []


async def test_an_entry_stored_late_is_still_shown() -> None:
    followed = Followed()
    arrivals = followed.tail.follow(SearchRequest("default"))
    await anext(arrivals)
    followed.store("quick", NOW_S + 30)
    assert messages(await anext(arrivals)) == ["quick"]
    followed.store("slow", NOW_S + 1)
    assert messages(await anext(arrivals)) == ["slow"]


async def test_a_drain_that_is_minutes_behind_loses_nothing() -> None:
    followed = Followed()
    arrivals = followed.tail.follow(SearchRequest("default"))
    await anext(arrivals)
    followed.clock.advance(600)
    followed.store("behind", NOW_S + 1)
    assert messages(await anext(arrivals)) == ["behind"]


async def test_only_matching_entries_of_the_tenant_are_shown() -> None:
    followed = Followed()
    arrivals = followed.tail.follow(SearchRequest("default", "wanted"))
    await anext(arrivals)
    followed.store("wanted", NOW_S + 1)
    followed.store("other", NOW_S + 1, 1)
    followed.reader.stored.append(("other", StoredEntry(batch_id(NOW_S * 1000, 2, 0), 0, LogEntry("wanted", 1))))
    assert messages(await anext(arrivals)) == ["wanted"]


async def test_a_returning_follower_gets_what_it_missed() -> None:
    followed = Followed()
    followed.store("before", NOW_S - 20)
    seen = followed.store("seen", NOW_S - 10)
    followed.store("missed", NOW_S - 5)
    assert messages(await anext(followed.tail.follow(SearchRequest("default"), seen))) == ["missed"]


async def test_a_flood_shows_the_newest_and_says_that_there_is_a_gap() -> None:
    followed = Followed(TailOptions(batch_entries=3, window_entries=5))
    arrivals = followed.tail.follow(SearchRequest("default"))
    await anext(arrivals)
    for number in range(4):
        followed.store(f"m{number}", NOW_S + 1, number)
    flooded = await anext(arrivals)
    assert (messages(flooded), flooded.gap) == (["m1", "m2", "m3"], True)
    assert (await anext(arrivals)).gap is False


async def test_mistakes_are_told_before_the_first_look() -> None:
    followed = Followed()
    with pytest.raises(QuerySyntaxError):
        followed.tail.follow(SearchRequest("default", "("))
    with pytest.raises(InvalidInput, match="24 hex digits"):
        followed.tail.follow(SearchRequest("default"), "nonsense")


def test_a_slow_store_is_asked_less_often() -> None:
    options = TailOptions(poll_seconds=1, load_max=0.2)
    assert options.pause(0.01) == 1
    assert options.pause(2.0) == 10
