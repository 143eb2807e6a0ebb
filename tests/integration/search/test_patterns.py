"""The catalogue of patterns over a real store."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.search.conftest import CODEC, LogStore
from zero.application.patterns.catalogue import Catalogue
from zero.application.ports import PatternQuery, Scope
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.query import Everything, InPattern
from zero.domain.stored import StoredEntry
from zero.infrastructure.clickhouse.pattern_reader import ClickHousePatternReader
from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.system.clock import SystemClock

START_S = 1_795_341_600
SECOND = 10**9


def entries(messages: list[str], start_s: int = START_S) -> list[StoredEntry]:
    """Entries of one batch, a second apart."""
    level = {True: Level.ERROR, False: Level.INFO}
    return [
        StoredEntry(
            batch_id(start_s * 1000, 1, 0),
            index,
            LogEntry(message, (start_s + index) * SECOND, level=level["failed" in message], app_id="shop"),
        )
        for index, message in enumerate(messages)
    ]


MESSAGES = [f"served request {number} in {number * 2} ms" for number in range(50)] + ["payment of 5 EUR failed"]


@pytest.fixture
async def pattern_store(log_store: LogStore) -> AsyncIterator[ClickHousePatternStore]:
    log_store.writer.command("TRUNCATE TABLE patterns")
    store = ClickHousePatternStore(log_store.options("default"))
    yield store
    await store.close()


@pytest.fixture
def catalogue(pattern_store: ClickHousePatternStore) -> Catalogue:
    return Catalogue(pattern_store, CODEC.mask, SystemClock(), MemoryTelemetry())


def everything(tenant: str = "default") -> Scope:
    return Scope(tenant, Everything())


async def test_what_arrives_is_in_the_catalogue_after_a_look(
    log_store: LogStore, catalogue: Catalogue, reader: ClickHouseReader
) -> None:
    log_store.store(entries(MESSAGES))
    assert await catalogue.look() == 2
    assert await catalogue.look() == 0
    patterns = ClickHousePatternReader(reader)
    served, failed = await patterns.count(PatternQuery(everything()))
    assert (served.text, served.example, served.count) == ("served request <*> in <*>", MESSAGES[0], 50)
    assert (served.first_seen_ns, served.last_seen_ns) == (START_S * SECOND, (START_S + 49) * SECOND)
    assert failed.text == "payment of <*> EUR failed"
    assert [one.count for one in await patterns.count(PatternQuery(everything(), "rare", 1))] == [1]
    since = PatternQuery(everything(), "new", 10, new_since_ns=(START_S + 1) * SECOND)
    assert [one.id for one in await patterns.count(since)] == [failed.id]
    assert await patterns.count(PatternQuery(everything("other"))) == []


async def test_a_query_finds_the_lines_of_a_pattern(
    log_store: LogStore, catalogue: Catalogue, reader: ClickHouseReader
) -> None:
    log_store.store(entries(MESSAGES))
    await catalogue.look()
    served, failed = await ClickHousePatternReader(reader).count(PatternQuery(everything()))
    found = await reader.latest(Scope("default", InPattern(failed.id)), 100)
    assert [stored.entry.message for stored in found] == MESSAGES[-1:]
    assert len(await reader.latest(Scope("default", InPattern(served.id)), 100)) == 50
    assert await reader.latest(Scope("other", InPattern(served.id)), 100) == []


async def test_counts_over_time_add_up(log_store: LogStore, catalogue: Catalogue, reader: ClickHouseReader) -> None:
    log_store.store(entries(MESSAGES))
    await catalogue.count()
    patterns = ClickHousePatternReader(reader)
    scope = Scope("default", Everything(), START_S * SECOND, (START_S + 60) * SECOND)
    served, failed = await patterns.count(PatternQuery(scope))
    tallies = await patterns.tallies(scope, [served.id, failed.id], 10 * SECOND)
    assert [tally.count for tally in tallies if tally.group_id == served.id] == [10] * 5
    (late,) = [tally for tally in tallies if tally.group_id == failed.id]
    assert (late.start_ns, late.level, late.app_id) == ((START_S + 50) * SECOND, Level.ERROR, "shop")
    one, other = await patterns.series(scope, 10 * SECOND, 10)
    assert list(one.counts.values()) == [10] * 5
    assert other.counts == {(START_S + 50) * SECOND: 1}
    assert await patterns.extent("default") == (START_S * SECOND, (START_S + 50) * SECOND)
    assert await patterns.extent("other") is None
    (member,) = await patterns.members("default", failed.id, 10)
    assert (member.text, member.count) == ("payment of <*> EUR failed", 1)
