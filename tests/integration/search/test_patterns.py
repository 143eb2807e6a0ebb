"""The catalogue of patterns over a real store."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.search.conftest import CODEC, LogStore, Reader
from zero.application.background import end
from zero.application.patterns.catalogue import Catalogue, CatalogueOptions
from zero.application.patterns.events import PatternsHalted, PatternsRefused
from zero.application.ports import PatternQuery, Scope, Steps
from zero.bootstrap.stores import ClosingPatternStore
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.query import Everything, InPattern
from zero.domain.stored import StoredEntry
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
async def pattern_store(log_store: LogStore) -> AsyncIterator[ClosingPatternStore]:
    log_store.empty("patterns")
    store = log_store.pattern_store()
    yield store
    await store.close()


@pytest.fixture
def catalogue(pattern_store: ClosingPatternStore) -> Catalogue:
    return Catalogue(pattern_store, CODEC.mask, SystemClock(), MemoryTelemetry())


def everything(tenant: str = "default") -> Scope:
    return Scope(tenant, Everything())


async def test_what_arrives_is_in_the_catalogue_after_a_look(log_store: LogStore, catalogue: Catalogue, reader: Reader) -> None:
    log_store.store(entries(MESSAGES))
    assert await catalogue.look() == 2
    assert await catalogue.look() == 0
    patterns = log_store.pattern_reader(reader)
    served, failed = await patterns.count(PatternQuery(everything()))
    assert (served.text, served.example, served.count) == ("served request <*> in <*>", MESSAGES[0], 50)
    assert (served.first_seen_ns, served.last_seen_ns) == (START_S * SECOND, (START_S + 49) * SECOND)
    assert failed.text == "payment of <*> EUR failed"
    assert [one.count for one in await patterns.count(PatternQuery(everything(), "rare", 1))] == [1]
    since = PatternQuery(everything(), "new", 10, new_since_ns=(START_S + 1) * SECOND)
    assert [one.id for one in await patterns.count(since)] == [failed.id]
    assert await patterns.count(PatternQuery(everything("other"))) == []


async def test_a_query_finds_the_lines_of_a_pattern(log_store: LogStore, catalogue: Catalogue, reader: Reader) -> None:
    log_store.store(entries(MESSAGES))
    await catalogue.look()
    served, failed = await log_store.pattern_reader(reader).count(PatternQuery(everything()))
    found = await reader.latest(Scope("default", InPattern(failed.id)), 100)
    assert [stored.entry.message for stored in found] == MESSAGES[-1:]
    assert len(await reader.latest(Scope("default", InPattern(served.id)), 100)) == 50
    assert await reader.latest(Scope("other", InPattern(served.id)), 100) == []


async def test_counts_over_time_add_up(log_store: LogStore, catalogue: Catalogue, reader: Reader) -> None:
    log_store.store(entries(MESSAGES))
    await catalogue.count()
    patterns = log_store.pattern_reader(reader)
    scope = Scope("default", Everything(), START_S * SECOND, (START_S + 60) * SECOND)
    served, failed = await patterns.count(PatternQuery(scope))
    tallies = await patterns.tallies(scope, [served.id, failed.id], Steps(START_S * SECOND, 10 * SECOND))
    assert [tally.count for tally in tallies if tally.group_id == served.id] == [10] * 5
    (late,) = [tally for tally in tallies if tally.group_id == failed.id]
    assert (late.start_ns, late.level, late.app_id) == ((START_S + 50) * SECOND, Level.ERROR, "shop")
    one, other = await patterns.series(scope, Steps(START_S * SECOND, 10 * SECOND), 10)
    assert list(one.counts.values()) == [10] * 5
    assert other.counts == {(START_S + 50) * SECOND: 1}
    assert await patterns.extent("default") == (START_S * SECOND, (START_S + 50) * SECOND)
    assert await patterns.extent("other") is None
    (member,) = await patterns.members("default", failed.id, 10)
    assert (member.text, member.count) == ("payment of <*> EUR failed", 1)


def names(start: int) -> list[str]:
    return [f"session opened for user {chr(97 + number)}x by (uid=0)" for number in range(start, start + 4)]


async def test_an_emptied_catalogue_becomes_what_it_was(
    log_store: LogStore, pattern_store: ClosingPatternStore, catalogue: Catalogue
) -> None:
    log_store.store(entries(names(2) + MESSAGES, START_S + 1000))
    await catalogue.count()
    log_store.store(entries([*names(0), "late"], START_S))  # stored later, though accepted before
    await catalogue.look()
    await catalogue.count()
    before = log_store.patterns()
    assert {row[5] for row in before} >= {"session opened for user <*> by (uid=<*>)", "late"}
    assert len({row[4] for row in before}) == len({row[5] for row in before}) == 4
    for again in (catalogue, Catalogue(pattern_store, CODEC.mask, SystemClock(), MemoryTelemetry())):
        log_store.empty("patterns")
        await again.count()
        assert log_store.patterns() == before


async def test_two_processes_that_keep_it_at_once_do_no_harm(log_store: LogStore, pattern_store: ClosingPatternStore) -> None:
    stores = [log_store.pattern_store() for _ in range(2)]
    keepers = [Catalogue(store, CODEC.mask, SystemClock(), MemoryTelemetry()) for store in stores]
    for turn in range(3):
        log_store.store(entries([*names(4 * turn), f"part {'xyz'[turn]} done"], START_S + turn))
        await asyncio.gather(*(keeper.look() for keeper in keepers))
    await asyncio.gather(*(keeper.count() for keeper in keepers))
    for keeper in keepers:
        await keeper.count()
    found = log_store.patterns()
    for store in stores:
        await store.close()
    log_store.empty("patterns")
    await Catalogue(pattern_store, CODEC.mask, SystemClock(), MemoryTelemetry()).count()
    assert log_store.patterns() == found
    assert len(found) == 15


async def test_a_group_is_one_pattern_to_those_who_list_and_search(
    log_store: LogStore, catalogue: Catalogue, reader: Reader
) -> None:
    log_store.store(entries(names(0) + names(0)))
    await catalogue.count()
    patterns = log_store.pattern_reader(reader)
    (group,) = await patterns.count(PatternQuery(everything()))
    assert (group.text, group.count) == ("session opened for user <*> by (uid=<*>)", 8)
    members = await patterns.members("default", group.id, 10)
    assert [member.count for member in members] == [2] * 4
    for member in members:
        found = await reader.latest(Scope("default", InPattern(member.id)), 100)
        assert len(found) == 8


async def test_patterns_beyond_the_bound_are_left_out_and_said(
    log_store: LogStore, pattern_store: ClosingPatternStore, reader: Reader
) -> None:
    telemetry = MemoryTelemetry()
    options = CatalogueOptions(tenant_patterns_max=1)
    catalogue = Catalogue(pattern_store, CODEC.mask, SystemClock(), telemetry, options)
    log_store.store(entries(MESSAGES))
    assert await catalogue.look() == 1
    assert await catalogue.look() == 0
    assert [type(event) for event in telemetry.events].count(PatternsRefused) == 1


async def test_an_outage_of_the_store_is_waited_out(log_server: LogStore) -> None:
    telemetry = MemoryTelemetry()
    nowhere = log_server.distant_pattern_store()
    keeping = asyncio.create_task(Catalogue(nowhere, CODEC.mask, SystemClock(), telemetry).run())
    async with asyncio.timeout(30):
        while not any(isinstance(event, PatternsHalted) for event in telemetry.events):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert not keeping.done()
    await end(keeping)
    await nowhere.close()


async def test_long_and_hostile_messages_come_through(log_store: LogStore, catalogue: Catalogue, reader: Reader) -> None:
    hostile = ["a\tb\nc\\N", '{"x": null}', "\\", "\0", "'; DROP TABLE logs --", "\u2028 \U0001f600", "word " * 20_000]
    log_store.store(entries(hostile))
    assert await catalogue.look() == len(hostile)
    found = await log_store.pattern_reader(reader).count(PatternQuery(everything()))
    assert {one.example for one in found} == {message[:4096] for message in hostile}
