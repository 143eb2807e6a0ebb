import pytest

from zero.application.search import Search, SearchRequest
from zero.application.timeline import TimelineSearch
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import InvalidInput, QuerySyntaxError
from zero.domain.stored import StoredEntry
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import ManualClock
from zero.infrastructure.memory.reader import MemoryReader

SECOND_NS = 10**9


def entry(number: int, **fields: object) -> StoredEntry:
    stamp = number * SECOND_NS
    return StoredEntry(batch_id(number * 1000, 0, 0), 0, LogEntry(f"message {number}", stamp, **fields))  # type: ignore[arg-type]


@pytest.fixture
def reader() -> MemoryReader:
    reader = MemoryReader()
    reader.stored = [("default", entry(number)) for number in range(1000, 1010)] + [("other", entry(1005))]
    return reader


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(2000 * SECOND_NS)


@pytest.fixture
def search(reader: MemoryReader, clock: ManualClock) -> Search:
    return Search(LuceneParser(), reader, clock)


async def test_pages_are_newest_first_and_the_last_has_no_cursor(search: Search) -> None:
    first = await search.find(SearchRequest("default"), 4)
    second = await search.find(SearchRequest("default"), 4, first.next_cursor)
    third = await search.find(SearchRequest("default"), 4, second.next_cursor)
    messages = [stored.entry.message for page in (first, second, third) for stored in page.entries]
    assert messages == [f"message {number}" for number in range(1009, 999, -1)]
    assert third.next_cursor is None


async def test_a_page_that_ends_exactly_at_the_last_entry_has_no_cursor(search: Search) -> None:
    assert (await search.find(SearchRequest("default"), 10)).next_cursor is None


async def test_pages_do_not_move_while_logs_arrive(search: Search, reader: MemoryReader) -> None:
    first = await search.find(SearchRequest("default"), 5)
    reader.stored += [("default", entry(number)) for number in range(1010, 1020)]
    second = await search.find(SearchRequest("default"), 5, first.next_cursor)
    assert [stored.entry.timestamp_ns // SECOND_NS for stored in second.entries] == [1004, 1003, 1002, 1001, 1000]


async def test_a_relative_time_keeps_its_meaning_from_page_to_page(search: Search, clock: ManualClock) -> None:
    request = SearchRequest("default", start="-1000s")
    first = await search.find(request, 5)
    clock.advance(3000)
    assert len((await search.find(request, 5, first.next_cursor)).entries) == 5


async def test_another_tenant_is_never_seen(search: Search) -> None:
    page = await search.find(SearchRequest("other", "*"))
    assert [stored.entry.message for stored in page.entries] == ["message 1005"]
    assert not (await search.find(SearchRequest("nobody", 'tenant:default OR "message"'))).entries


async def test_a_cursor_of_another_tenant_is_refused(search: Search) -> None:
    cursor = (await search.find(SearchRequest("default"), 1)).next_cursor
    with pytest.raises(InvalidInput, match="another search"):
        await search.find(SearchRequest("other"), 1, cursor)


async def test_filters_narrow_the_query(search: Search, reader: MemoryReader) -> None:
    reader.stored.append(("default", entry(1500, app_id="Hadoop", level=Level.ERROR)))
    for request in (
        SearchRequest("default", app_id="hadoop"),
        SearchRequest("default", levels=["error", "FATAL"]),
        SearchRequest("default", "1500", app_id="HADOOP", levels=["err"], start="1500", end="1501"),
    ):
        assert [stored.entry.message for stored in (await search.find(request)).entries] == ["message 1500"]
    assert not (await search.find(SearchRequest("default", app_id="hadoop", end="1500"))).entries


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SearchRequest("default", start="soon"), "from"),
        (SearchRequest("default", end="soon"), "to"),
        (SearchRequest("default", start="2000", end="1000"), "from"),
        (SearchRequest("default", levels=["loud"]), "level"),
        (SearchRequest("default", app_id="a\0b"), "app_id"),
        (SearchRequest("default", app_id="x" * 5000), "app_id"),
        (SearchRequest("default", app_id="\ud800"), "app_id"),
    ],
)
async def test_a_wrong_filter_is_named(search: Search, request_: SearchRequest, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await search.find(request_)
    assert caught.value.field == field


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_limit_out_of_bounds_is_named(search: Search, limit: int) -> None:
    with pytest.raises(InvalidInput, match="between 1 and 1000") as caught:
        await search.find(SearchRequest("default"), limit)
    assert caught.value.field == "limit"


async def test_a_query_mistake_is_placed(search: Search) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        await search.find(SearchRequest("default", "a AND"))
    assert caught.value.position == 5


async def test_the_timeline_counts_by_level_in_readable_steps(search: Search, reader: MemoryReader, clock: ManualClock) -> None:
    reader.stored.append(("default", entry(1001, level=Level.ERROR)))
    timeline = await TimelineSearch(search, reader, clock).count(SearchRequest("default", start="1000", end="1010"), 2)
    assert timeline.step_seconds == 5
    counts = [(tally.start_ns // SECOND_NS, tally.level, tally.count) for tally in timeline.tallies]
    assert counts == [(1000, Level.INFO, 5), (1000, Level.ERROR, 1), (1005, Level.INFO, 5)]


async def test_the_timeline_without_times_is_the_last_day(search: Search, reader: MemoryReader, clock: ManualClock) -> None:
    clock.advance(98_000)
    timeline = await TimelineSearch(search, reader, clock).count(SearchRequest("default"))
    assert (timeline.to_ns - timeline.from_ns) // SECOND_NS == 86_400
    assert timeline.step_seconds == 1800


@pytest.mark.parametrize("buckets", [0, 1001])
async def test_the_number_of_buckets_is_bounded(search: Search, reader: MemoryReader, clock: ManualClock, buckets: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        await TimelineSearch(search, reader, clock).count(SearchRequest("default"), buckets)
    assert caught.value.field == "buckets"


async def test_facets_are_the_most_frequent_values(search: Search, reader: MemoryReader) -> None:
    reader.stored.append(("default", entry(1500, app_id="web")))
    facets = await search.facets(SearchRequest("default"), 1)
    assert facets["app_id"] == [("default", 10)]
    assert facets["level"] == [("INFO", 11)]
