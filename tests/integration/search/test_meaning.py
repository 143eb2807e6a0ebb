"""Search by meaning over a real store, with the real bundled embedder."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.search.catalogue import catalogued, embedded
from tests.integration.search.conftest import LogStore, Reader
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.search import MeaningSearch
from zero.application.ports import Embedder, Mode
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import Unavailable
from zero.domain.stored import StoredEntry
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.embedding.minilm import MiniLmEmbedder, minilm_is_installed
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.memory.meaning import SpellingEmbedder
from zero.infrastructure.system.clock import SystemClock

DATA = Path(__file__).parents[2] / "data" / "semantic"
START_S = 1_795_341_600
BEST = 10


def examples(prefix: str = "") -> list[tuple[str, str, Level, str]]:
    """Name, app, level and message of every example; those with a prefix are of other systems."""
    with (DATA / f"{prefix}messages.tsv").open(encoding="utf-8") as file:
        return [
            (name, app, Level[level], text) for name, app, level, text in csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE)
        ]


def entries(prefix: str = "") -> list[StoredEntry]:
    """An entry of each, a minute apart."""
    batch = batch_id(START_S * 1000, 1, 0)
    return [
        StoredEntry(batch, index, LogEntry(text, (START_S + 60 * index) * 10**9, level=level, app_id=app))
        for index, (_, app, level, text) in enumerate(examples(prefix))
    ]


def searching(log_store: LogStore, reader: Reader, *embedders: Embedder) -> MeaningSearch:
    """A search whose embedder is the first, and that can have the others."""
    makers = {one.name: (lambda one=one: one) for one in embedders}
    search, shelf = Search(LuceneParser(), reader, SystemClock()), Embedders(embedders[0].name, makers)
    return MeaningSearch(search, log_store.meaning_reader(reader), reader, shelf, SystemClock(), MemoryTelemetry())


async def recall(search: MeaningSearch, mode: Mode, prefix: str = "", every: int = 1) -> float:
    """How much of what answers the questions, or every so many of them, is among the first ten, on average."""
    names = {text: name for name, _, _, text in examples(prefix)}
    questions = json.loads((DATA / f"{prefix}questions.json").read_text())[::every]

    async def share(question: dict[str, Any]) -> float:
        hits = await search.patterns(SearchRequest("default", question["query"]), mode, BEST)
        found = {names[hit.texts.example] for hit in hits}
        return len(found & set(question["relevant"])) / min(BEST, len(question["relevant"]))

    shares = await asyncio.gather(*map(share, questions))
    return sum(shares) / len(shares)


async def test_questions_in_plain_words_find_what_answers_them(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries())
    await catalogued(log_store)
    search = searching(log_store, reader, BundledEmbedder())
    assert await recall(search, Mode.TEXT) > 0.76
    assert await recall(search, Mode.HYBRID) > 0.82


async def test_so_do_questions_over_other_systems(log_store: LogStore, reader: Reader) -> None:
    if log_store.name != "clickhouse":
        pytest.skip("what words mean does not hang on the store, and it takes its time")
    log_store.store(entries("other_"))
    await catalogued(log_store)
    search = searching(log_store, reader, BundledEmbedder())
    assert await recall(search, Mode.HYBRID, "other_", 3) > 0.72


@pytest.mark.skipif(not minilm_is_installed(), reason="the extra zero-logs[minilm] is not installed")
async def test_the_larger_model_finds_more(log_store: LogStore, reader: Reader) -> None:
    if log_store.name != "clickhouse":
        pytest.skip("what a model knows does not hang on the store, and it takes its time")
    log_store.store(entries())
    await catalogued(log_store, MiniLmEmbedder())
    assert await recall(searching(log_store, reader, MiniLmEmbedder()), Mode.HYBRID) > 0.86


async def test_a_hit_says_how_often_it_was_seen_and_why_it_was_found(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries())
    await catalogued(log_store)
    best, *_ = await searching(log_store, reader, BundledEmbedder()).patterns(
        SearchRequest("default", "the processor is overheating"), Mode.HYBRID, 5
    )
    assert "Core temperature above threshold" in best.texts.example
    assert best.ranked.count == 1
    assert ("overheating", "temperature") in best.matched
    assert 0 < best.ranked.score <= 1


@pytest.mark.parametrize("mode", list(Mode))
async def test_filters_for_app_level_and_time_apply_in_every_mode(log_store: LogStore, reader: Reader, mode: Mode) -> None:
    log_store.store(entries())
    await catalogued(log_store)
    search = searching(log_store, reader, BundledEmbedder())
    apps = {text: (app, level) for _, app, level, text in examples()}

    async def found(**filters: object) -> list[str]:
        hits = await search.patterns(SearchRequest("default", "connection failed", **filters), mode, 50)  # type: ignore[arg-type]
        return [hit.texts.example for hit in hits]

    assert {apps[text][0] for text in await found()} > {"nginx"}
    assert {apps[text][0] for text in await found(app_id="nginx")} == {"nginx"}
    assert {apps[text][1] for text in await found(levels=["error"])} == {Level.ERROR}
    early = await found(end=str(START_S + 5 * 60))
    assert early
    assert set(early) <= {text for _, _, _, text in examples()[:5]}
    assert await found(app_id="nosuchapp") == []


async def test_lines_are_those_of_the_best_patterns_newest_first_and_page_by_page(log_store: LogStore, reader: Reader) -> None:
    batch = batch_id(START_S * 1000, 1, 0)
    messages = [
        "Failed password for root from 10.0.0.{} port 22 ssh2" if number % 2 else "Served block {} to client"
        for number in range(40)
    ]
    log_store.store(
        StoredEntry(batch, number, LogEntry(text.format(number), (START_S + number) * 10**9, app_id="mixed"))
        for number, text in enumerate(messages)
    )
    await catalogued(log_store)
    search = searching(log_store, reader, BundledEmbedder())
    request = SearchRequest("default", "somebody guesses passwords")
    page = await search.lines(request, Mode.HYBRID, 15)
    rest = await search.lines(request, Mode.HYBRID, 15, page.next_cursor)
    indexes = [line.stored.index for line in (*page.lines, *rest.lines)]
    assert indexes == list(range(39, 0, -2))
    assert (len(page.lines), rest.next_cursor) == (15, None)
    assert {matched for line in page.lines for matched in (line.hit.matched if line.hit else ())} >= {("passwords", "password")}


async def test_while_a_new_embedder_works_the_old_vectors_answer(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries())
    await catalogued(log_store, BundledEmbedder())
    old, new = BundledEmbedder(), SpellingEmbedder()
    search = searching(log_store, reader, new, old)
    asked = await search.patterns(SearchRequest("default", "disk is full"), Mode.SEMANTIC, 3)
    assert asked
    assert not new.asked
    await embedded(log_store, new)
    await search.patterns(SearchRequest("default", "disk is full"), Mode.SEMANTIC, 3)
    assert new.asked[-1] == "disk is full"
    assert await log_store.meaning_reader(reader).embedded("default") == {new.name: len(examples())}


async def test_each_pattern_is_embedded_once(log_store: LogStore) -> None:
    log_store.store(entries())
    embedder = SpellingEmbedder()
    await catalogued(log_store, embedder)
    await embedded(log_store, embedder)
    assert len(embedder.asked) == len(examples())


async def test_without_its_embedder_a_search_goes_on_by_words_unless_meaning_alone_was_asked_for(
    log_store: LogStore, reader: Reader
) -> None:
    log_store.store(entries())
    embedder = SpellingEmbedder()
    await catalogued(log_store, embedder)
    embedder.failure = Unavailable("no answer")
    search = searching(log_store, reader, embedder)
    assert await search.patterns(SearchRequest("default", "deadlock"), Mode.HYBRID, 3)
    with pytest.raises(Unavailable):
        await search.patterns(SearchRequest("default", "deadlock"), Mode.SEMANTIC, 3)


async def test_nothing_of_another_tenant_is_ranked(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries(), "theirs")
    await catalogued(log_store)
    search = searching(log_store, reader, BundledEmbedder())
    for mode in Mode:
        assert await search.patterns(SearchRequest("mine", "disk is full"), mode, 10) == []


async def test_what_belongs_to_patterns_that_are_gone_is_dropped(log_store: LogStore) -> None:
    log_store.store(entries())
    await catalogued(log_store)
    log_store.empty("patterns")
    store = log_store.meaning_store()
    await store.forget_all_but(BundledEmbedder.name)
    await store.close()
    for table in ("pattern_words", "pattern_vectors"):
        assert log_store.count(table) == 0


HOSTILE = [
    "') OR tenant = 'x' --",
    "{tenant:String}",
    "\\' x \\\\",
    "a" * 4000,
    "ошибка диска",
    "的 磁盘",
    "x" + " y" * 2000,
    "'; DROP TABLE logs",
]


async def test_a_hostile_question_is_only_a_question(log_store: LogStore, reader: Reader) -> None:
    log_store.store(entries())
    await catalogued(log_store)
    for question in HOSTILE:
        for mode in Mode:
            await searching(log_store, reader, BundledEmbedder()).patterns(SearchRequest("default", question), mode, 10)
    assert log_store.count("logs") == len(examples())
