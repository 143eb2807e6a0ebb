"""Reading the real store: order, pages, arrivals, figures, and what happens at the limits."""

import asyncio
from collections import Counter

import pytest

from tests.integration.search.conftest import ClickHouseLogs, LogStore, Reader
from tests.patience import READY_SECONDS_MAX
from zero.application.ports import Scope
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import Overloaded, QueryTooExpensive, StoreHalted, StoreUnavailable
from zero.domain.query import Everything, HasWord, Not
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.connection import connect
from zero.infrastructure.clickhouse.reader import ClickHouseReader, ReaderOptions
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.system.clock import SystemClock

START_S = 1_795_341_600
ALL = Scope("default", Everything())


def batch(number: int, count: int, seconds_apart: float = 1.0, message: str = "m") -> list[StoredEntry]:
    """Entries of one batch, the batch accepted ``number`` seconds after the start."""
    identity = batch_id((START_S + number) * 1000, 1, 0)
    return [
        StoredEntry(
            identity, index, LogEntry(f"{message} {number}-{index}", int((START_S + number + index * seconds_apart) * 10**9))
        )
        for index in range(count)
    ]


def newest_first(entries: list[StoredEntry]) -> list[StoredEntry]:
    return sorted(entries, key=lambda stored: stored.key, reverse=True)


async def test_the_newest_come_first_over_days_and_ties(log_store: LogStore, reader: Reader) -> None:
    entries = batch(0, 300, 1800) + batch(5, 50, 0) + batch(6, 50, 0)
    log_store.store(entries)
    assert list(await reader.latest(ALL, 1000)) == newest_first(entries)
    assert list(await reader.latest(ALL, 7)) == newest_first(entries)[:7]


async def test_the_next_ones_come_oldest_first_over_days_and_ties(log_store: LogStore, reader: Reader) -> None:
    entries = batch(0, 100, 3600) + batch(5, 50, 0) + batch(6, 50, 0)
    log_store.store(entries)
    ordered = sorted(entries, key=lambda stored: stored.key)
    for place in (20, 130):
        assert list(await reader.earliest(ALL, 60, ordered[place].key)) == ordered[place + 1 :][:60]
    assert list(await reader.latest(ALL, 60, ordered[70].key)) == ordered[10:70][::-1]
    until = Scope("default", Everything(), to_ns=ordered[150].key.timestamp_ns)
    assert list(await reader.earliest(until, 60, ordered[100].key)) == ordered[101:150]


async def test_an_empty_store_has_no_entries(log_store: LogStore, reader: Reader) -> None:
    assert list(await reader.latest(ALL, 10)) == []
    assert (await reader.figures("default", START_S * 10**9)).entries == 0
    assert await reader.rows() == {}


async def test_times_bound_the_search_to_the_nanosecond(log_store: LogStore, reader: Reader) -> None:
    entries = [StoredEntry(batch_id(START_S * 1000, 1, 0), n, LogEntry("m", START_S * 10**9 + n)) for n in range(5)]
    log_store.store(entries)
    scope = Scope("default", Everything(), START_S * 10**9 + 1, START_S * 10**9 + 3)
    assert [stored.index for stored in await reader.latest(scope, 10)] == [2, 1]


async def test_pages_neither_repeat_nor_skip_while_logs_are_stored(log_store: LogStore, reader: Reader) -> None:
    before = batch(0, 400, 30)
    log_store.store(before)
    search = Search(LuceneParser(), reader, SystemClock())
    found: list[StoredEntry] = []
    page = await search.find(SearchRequest("default", "m"), 37)
    number = 20_000
    while True:
        found += page.entries
        if page.next_cursor is None:
            break
        number += 1
        await asyncio.to_thread(log_store.store, batch(number, 11) + batch(number - 19_000, 1, 0, "late"))
        page = await search.find(SearchRequest("default", "m"), 37, page.next_cursor)
    assert len({stored.id for stored in found}) == len(found)
    assert found == newest_first(found)
    known = {stored.id for stored in before}
    assert [stored for stored in found if stored.id in known] == newest_first(before)


async def test_arrivals_are_told_by_the_time_of_acceptance(log_store: LogStore, reader: Reader) -> None:
    entries = batch(0, 3) + batch(100, 3)
    log_store.store(entries)
    log_store.store(batch(100, 3), "other")
    since = batch_id((START_S + 50) * 1000, 0, 0)
    arrived = await reader.arrivals(ALL, since, 10)
    assert arrived == [(stored.batch_id, stored.index) for stored in reversed(entries[3:])]
    assert await reader.arrivals(ALL, since, 1) == arrived[:1]
    assert list(await reader.entries("default", arrived)) == entries[3:]
    assert list(await reader.entries("nobody", arrived)) == []
    assert list(await reader.entries("default", [])) == []


async def test_counts_by_time_value_and_tenant_add_up(log_store: LogStore, reader: Reader) -> None:
    levels = [Level.INFO, Level.ERROR, Level.ERROR]
    entries = [
        StoredEntry(batch_id(START_S * 1000, 1, 0), n, LogEntry("m", (START_S + n * 40) * 10**9, levels[n % 3], f"app{n % 2}"))
        for n in range(6)
    ]
    log_store.store(entries)
    log_store.store(batch(0, 2), "other")
    tallies = await reader.histogram(ALL, 60)
    expected = Counter(((START_S + n * 40) // 60 * 60 * 10**9, levels[n % 3]) for n in range(6))
    assert {(tally.start_ns, tally.level): tally.count for tally in tallies} == expected
    facets = await reader.facets(ALL, ("level", "app_id"), 1)
    assert facets == {"level": [("ERROR", 4)], "app_id": [("app0", 3)]}
    figures = await reader.figures("default", (START_S + 30) * 10**9)
    assert (figures.entries, figures.by_app, figures.entries_last_minute) == (6, {"app0": 3, "app1": 3}, 6)
    assert figures.by_level == {Level.INFO: 2, Level.ERROR: 4}
    assert figures.disk_bytes > 0
    assert await reader.rows() == {"default": 6, "other": 2}
    today = START_S // 86_400
    assert await reader.rows_by_day() == {("default", today): 6, ("other", today): 2}


async def test_the_longest_and_worst_queries_are_answered(log_store: LogStore, reader: Reader) -> None:
    log_store.store(batch(0, 3))
    parser = LuceneParser()
    for query in (
        '"' + "\\" * 4094 + '"',
        'host:"' + "\\" * 4088 + '"',
        "host:" + "\\\\" * 2040 + "*",
        '"' + "\x00" * 4094 + '"',
        '"' + "日" * 1364 + '"',
        " ".join(f"host:a{n}*" for n in range(128)),
        " OR ".join(f"k{n}:>=1.5" for n in range(128)),
        "NOT " * 30 + "*a" * 1900,
    ):
        assert len(await reader.latest(Scope("default", parser.parse(query, 0)), 10)) in (0, 3)


async def test_a_search_beyond_the_limits_says_what_to_do(log_server: LogStore) -> None:
    reader = log_server.hasty_reader()
    log_server.store(batch(0, 100))
    try:
        with pytest.raises(QueryTooExpensive, match="narrow"):
            await reader.latest(Scope("default", Not(HasWord("nothing"))), 10)
    finally:
        await reader.close()


async def test_more_searches_than_may_wait_are_refused(log_store: LogStore, log_server: LogStore) -> None:
    reader = log_server.reader(queries_max=1, waiting_max=2)
    try:
        outcomes = await asyncio.gather(*(reader.ping() for _ in range(10)), return_exceptions=True)
    finally:
        await reader.close()
    assert [type(outcome) for outcome in outcomes].count(Overloaded) == 7
    assert outcomes.count(None) == 3


async def test_a_reader_cannot_write(log_server: LogStore) -> None:
    for reader in (log_server.reader(), log_server.writers_reader()):
        try:
            with pytest.raises((StoreHalted, StoreUnavailable), match=r"readonly|read-only|READONLY"):
                await reader.ask("INSERT INTO logs (message) VALUES ('x')", {})
        finally:
            await reader.close()


async def test_a_store_that_is_away_is_said_to_be_unavailable(log_server: LogStore) -> None:
    reader = log_server.distant_reader()
    try:
        with pytest.raises(StoreUnavailable):
            await reader.ping()
    finally:
        await reader.close()


async def test_a_query_that_nobody_waits_for_is_ended_in_the_store(clickhouse_logs: ClickHouseLogs) -> None:
    options = ReaderOptions(query_seconds_max=3600, rows_read_max=0)
    reader = ClickHouseReader(lambda: connect(clickhouse_logs.options("reader")), options)
    running = "SELECT count() FROM system.processes WHERE query LIKE '%1234567890123%' AND query NOT LIKE '%processes%'"
    asking = asyncio.create_task(
        reader.ask("SELECT count() FROM numbers(1234567890123) WHERE NOT ignore(cityHash64(number))", {})
    )

    async def until(count: int) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            while await asyncio.to_thread(clickhouse_logs.writer.command, running) != count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    await until(1)
    asking.cancel()
    await until(0)
    assert (await reader.ask("SELECT 1", {})).split() == [b"[1]"]
    await reader.close()
