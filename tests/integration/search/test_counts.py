"""What is counted beforehand is what counting the entries gives, for every window and filter; and the store does take it."""

import itertools
import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.integration.search.catalogue import catalogued
from tests.integration.search.conftest import ClickHouseLogs, LogStore, Reader
from zero.application.patterns.listing import PatternSearch
from zero.application.ports import PatternQuery, Scope
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.counts import MINUTE, counted
from zero.infrastructure.clickhouse.patterns import FIGURES
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.system.clock import SystemClock

START_S = 1_795_341_600  # the begin of five minutes
SECONDS = 3 * 3600
APPS = ("shop", "Bank", "mail")
LEVELS = (Level.INFO, Level.WARN, Level.ERROR)
QUERIES: dict[str, Callable[[LogEntry], bool]] = {
    "": lambda entry: True,
    "level:>=warn": lambda entry: entry.level >= Level.WARN,
    "app_id:bank": lambda entry: entry.app_id == "Bank",
    "-app_id:s* (level:info OR level:error)": lambda entry: entry.app_id != "shop" and entry.level != Level.WARN,
    "word": lambda entry: "word" in entry.message,
    "source:host-1 level:error": lambda entry: entry.source == "host-1" and entry.level == Level.ERROR,
}
ENDS_S = (None, START_S - 1, START_S, START_S + 300, START_S + 301.5, START_S + 3600, START_S + 5000.25, START_S + SECONDS)


def made() -> list[StoredEntry]:
    chance, batch = random.Random(5), batch_id(START_S * 1000, 1, 0)
    times = sorted(chance.sample(range(SECONDS * 4), 1500))
    return [
        StoredEntry(
            batch,
            index,
            LogEntry(
                chance.choice(["a word here", "nothing", "some thing", "went wrong"]),
                START_S * 10**9 + quarter * 250_000_000,
                chance.choice(LEVELS),
                chance.choice(APPS),
                f"host-{chance.randrange(3)}",
            ),
        )
        for index, quarter in enumerate(times)
    ]


ENTRIES = made()


def scopes() -> list[tuple[Scope, list[LogEntry]]]:
    """Every query in every window, with the entries that it finds."""
    found = []
    for (query, wanted), low, high in itertools.product(QUERIES.items(), ENDS_S, ENDS_S):
        from_ns, to_ns = (None if end is None else int(end * 10**9) for end in (low, high))
        if from_ns is not None and to_ns is not None and from_ns >= to_ns:
            continue
        hits = [
            stored.entry
            for stored in ENTRIES
            if wanted(stored.entry)
            and (from_ns is None or stored.entry.timestamp_ns >= from_ns)
            and (to_ns is None or stored.entry.timestamp_ns < to_ns)
        ]
        found.append((Scope("default", LuceneParser().parse(query, 0), from_ns, to_ns), hits))
    return random.Random(1).sample(found, 60)


@pytest.fixture
def day(log_store: LogStore) -> LogStore:
    log_store.store(ENTRIES)
    log_store.store(ENTRIES[:10], "other")
    return log_store


async def test_facets_and_histograms_are_those_of_the_entries(day: LogStore, reader: Reader) -> None:
    for scope, hits in scopes():
        facets = await reader.facets(scope, ["app_id", "level", "source"], 10)
        assert dict(facets["app_id"]) == Counter(entry.app_id for entry in hits), scope
        assert dict(facets["level"]) == Counter(entry.level.name for entry in hits), scope
        assert dict(facets["source"]) == Counter(entry.source for entry in hits), scope
        for step in (60, 600):
            tallies = await reader.histogram(scope, step)
            expected = Counter((entry.timestamp_ns // 10**9 // step * step, entry.level) for entry in hits)
            assert {(one.start_ns // 10**9, one.level): one.count for one in tallies} == expected, scope


async def test_patterns_are_counted_as_their_entries_are(day: LogStore, reader: Reader) -> None:
    await catalogued(day)
    for scope, hits in scopes()[:20]:
        found = await day.pattern_reader(reader).count(PatternQuery(scope))
        assert {one.text: one.count for one in found} == Counter(entry.message for entry in hits), scope
        latest = {entry.message: entry.timestamp_ns for entry in hits}  # they come in the order of time
        assert {one.text: one.last_seen_ns for one in found} == latest, scope


async def test_bars_over_a_long_time_stand_for_whole_five_minutes(day: LogStore, reader: Reader) -> None:
    await catalogued(day)
    listing = PatternSearch(Search(LuceneParser(), reader, SystemClock()), day.pattern_reader(reader), SystemClock())
    start, end = START_S + 100.5, START_S + SECONDS - 50
    page = await listing.find(SearchRequest("default", start=f"{start:.1f}", end=f"{end:.0f}"), "frequent", 10)
    assert (page.from_ns, page.step_ns) == (START_S * 10**9, 600 * 10**9)
    hits = [one.entry for one in ENTRIES if start * 10**9 <= one.entry.timestamp_ns < end * 10**9]
    bars = {row.counted.text: row.sparkline for row in page.rows}
    for text, expected in Counter(entry.message for entry in hits).items():
        assert sum(bars[text]) == expected
        assert len(bars[text]) == 18
        first = [e for e in hits if e.message == text and e.timestamp_ns < (START_S + 600) * 10**9]
        assert bars[text][0] == len(first)


@pytest.fixture
def clickhouse_day(clickhouse_logs: ClickHouseLogs) -> ClickHouseLogs:
    clickhouse_logs.empty("logs")
    clickhouse_logs.store(ENTRIES)
    return clickhouse_logs


@pytest.mark.parametrize("query", [query for query in QUERIES if "word" not in query and "source" not in query])
def test_clickhouse_takes_the_counts_where_they_answer(clickhouse_day: ClickHouseLogs, query: str) -> None:
    scope = Scope("default", LuceneParser().parse(query, 0), START_S * 10**9, (START_S + SECONDS) * 10**9)
    for keys in ({"app_id": "app_id", "level": "level"}, {"pattern_id": "pattern_id"}):
        sql, parameters = counted(scope, keys, {"entries": ("count()", "sum"), "latest": ("max(timestamp)", "max")})
        assert clickhouse_day.writer.query(sql, parameters, settings={"force_optimize_projection_name": "counts"}).row_count


@pytest.mark.parametrize("query", ["", "level:>=warn", "app_id:bank"])
def test_clickhouse_takes_the_minutes_for_a_histogram(clickhouse_day: ClickHouseLogs, query: str) -> None:
    scope = Scope("default", LuceneParser().parse(query, 0), START_S * 10**9, (START_S + SECONDS) * 10**9)
    keys = {"start": f"toUnixTimestamp({MINUTE.sql})", "severity": "toInt8(level)"}
    sql, parameters = counted(scope, keys, {"entries": ("count()", "sum")}, MINUTE)
    assert clickhouse_day.writer.query(sql, parameters, settings={"force_optimize_projection_name": "minutes"}).row_count


def test_what_a_catalogue_is_made_of_is_counted_beforehand(clickhouse_day: ClickHouseLogs) -> None:
    sql = f"SELECT tenant, pattern_id, {FIGURES} FROM logs GROUP BY tenant, pattern_id"
    rows = clickhouse_day.writer.query(sql, settings={"force_optimize_projection_name": "counts"}).result_rows
    earliest = min(stored.index for stored in ENTRIES if stored.entry.message == "nothing")
    assert (ENTRIES[0].batch_id << 32) + earliest in [row[2] for row in rows]
    assert sum(row[-1] for row in rows) == len(ENTRIES)
