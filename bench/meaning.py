"""Search by meaning for ``zero bench search``: how well questions in plain words are answered, and how fast.

Quality is recall@10 over the real logs and questions beside the clone if they are there, else over those of the tests.
Latency is that of the api over the entries of the benchmark, which get 20,000 patterns: lines of words drawn from the corpus.
"""

import asyncio
import csv
import json
import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from zero.application.meaning.embedders import Embedders
from zero.application.meaning.search import MeaningSearch
from zero.application.meaning.upkeep import MeaningUpkeep
from zero.application.patterns.catalogue import Catalogue
from zero.application.ports import Embedder, Mode
from zero.application.search import Search, SearchRequest
from zero.domain.batch_id import batch_id
from zero.domain.entry import LogEntry
from zero.domain.frame import pack_frame, unpack_frame
from zero.infrastructure.clickhouse.connection import connect, connect_writer
from zero.infrastructure.clickhouse.meaning_reader import ClickHouseMeaningReader
from zero.infrastructure.clickhouse.meaning_store import ClickHouseMeaningStore
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.patterns import ClickHousePatternStore
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.embedding.minilm import MiniLmEmbedder, minilm_is_installed
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock

SHARED = Path(__file__).parents[2] / "shared" / "data"
OWN = Path(__file__).parents[1] / "tests" / "data" / "semantic"
TENANT = "questions"
ASKED = 20
BEST = 10
RUNS = 3
LINES_A_KIND = 10
QUESTIONS = 10
FRAME_ENTRIES = 1000
WORD = re.compile(r"[A-Za-z][a-z]{2,}")
CODEC = NativeCodec()


@dataclass(frozen=True)
class Examples:
    """Messages as (system, event, message), and questions with the events that answer each."""

    source: str
    messages: Sequence[tuple[str, str, str]]
    questions: Sequence[tuple[str, frozenset[tuple[str, str]]]]


def examples() -> Examples:
    """Return the shared ones if they are there, else our own."""
    if (SHARED / "semantic_queries.json").exists():
        asked = json.loads((SHARED / "semantic_queries.json").read_text())
        wanted = [frozenset((of, event) for of, events in one["relevant"].items() for event in events) for one in asked]
        messages = []
        for system in sorted({of for pairs in wanted for of, _ in pairs}):
            with (SHARED / "loghub" / f"{system}.csv").open(newline="", encoding="utf-8", errors="replace") as file:
                messages += [(system, row["EventId"], row["Content"]) for row in csv.DictReader(file)]
        source = "semantic_queries.json over loghub"
    else:
        asked = json.loads((OWN / "questions.json").read_text())
        with (OWN / "messages.tsv").open(encoding="utf-8") as file:
            rows = list(csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE))
        systems = {name: app for name, app, _, _ in rows}
        messages = [(app, name, text) for name, app, _, text in rows]
        wanted = [frozenset((systems[name], name) for name in one["relevant"]) for one in asked]
        source = "tests/data/semantic"
    return Examples(source, messages, [(one["query"], pairs) for one, pairs in zip(asked, wanted, strict=True)])


def varied(lines: list[bytes], kinds: int, seed: int = 11) -> list[bytes]:
    """Return LINES_A_KIND lines of each of so many kinds, otherwise like the given ones."""
    chance = random.Random(seed)
    words = sorted({word.lower() for line in lines[:5000] for word in WORD.findall(json.loads(line)["message"])})
    texts = [" ".join(["{} is", *chance.choices(words, k=chance.randrange(5, 12)), "in {}"]) for _ in range(kinds)]
    made = []
    for number in range(kinds * LINES_A_KIND):
        kind, log = number % kinds, json.loads(lines[number % len(lines)])
        log |= {
            "app_id": f"service-{kind % 40:02d}",
            "message": texts[kind].format(chance.getrandbits(30), chance.randrange(900)),
        }
        made.append(json.dumps(log, separators=(",", ":")).encode())
    return made


async def catalogued(options: ClickHouseOptions, embedder: Embedder) -> None:
    """Do at once what happens in the background: find the patterns, and give them words and vectors."""
    patterns, store = ClickHousePatternStore(options), ClickHouseMeaningStore(options)
    await Catalogue(patterns, CODEC.mask, SystemClock(), MemoryTelemetry()).count()
    upkeep = MeaningUpkeep(store, Embedders(embedder.name, {embedder.name: lambda: embedder}), SystemClock(), MemoryTelemetry())
    while await upkeep.step():
        pass
    await patterns.close()
    await store.close()


def quality(options: ClickHouseOptions) -> dict[str, Any]:
    """Store the examples as a tenant of their own, and return recall@10 by embedder and mode."""
    given, now_ns = examples(), time.time_ns()
    frames = []
    for start in range(0, len(given.messages), FRAME_ENTRIES):
        part = given.messages[start : start + FRAME_ENTRIES]
        identity = batch_id(now_ns // 1_000_000, 1, start // FRAME_ENTRIES)
        payload = write_log_batch(LogEntry(text, now_ns, app_id=system.lower()) for system, _, text in part)
        frames.append(
            unpack_frame(pack_frame(identity, now_ns // 1_000_000, len(part), TENANT, [payload], CODEC.crc32c), CODEC.crc32c)
        )
    client = connect_writer(options)
    client.command("INSERT INTO logs FORMAT Native", data=CODEC.encode_block(frames).data)
    client.close()
    events = {text: (system, event) for system, event, text in reversed(given.messages)}
    embedders: list[Embedder] = [BundledEmbedder(), *([MiniLmEmbedder()] if minilm_is_installed() else [])]
    found = {one.name: asyncio.run(_recall(options, one, given, events)) for one in embedders}
    return {"examples": given.source, "questions": len(given.questions), "recall_at_10": found}


async def _recall(
    options: ClickHouseOptions, embedder: Embedder, given: Examples, events: dict[str, tuple[str, str]]
) -> dict[str, float]:
    await catalogued(options, embedder)
    reader = ClickHouseReader(lambda: connect(options))
    clock, shelf = SystemClock(), Embedders(embedder.name, {embedder.name: lambda: embedder})
    ranking, told = ClickHouseMeaningReader(reader), MemoryTelemetry()
    search = MeaningSearch(Search(LuceneParser(), reader, clock), ranking, reader, shelf, clock, told)
    recalls = {}
    for mode in Mode:
        shares = []
        for question, wanted in given.questions:
            hits = await search.patterns(SearchRequest(TENANT, question), mode, ASKED)
            ranked = dict.fromkeys(events[hit.texts.example] for hit in hits if hit.texts.example in events)
            shares.append(len(wanted & set(list(ranked)[:BEST])) / min(BEST, len(wanted)))
        recalls[mode.value] = round(statistics.mean(shares), 3)
    await reader.close()
    return recalls


def latency(url: str) -> dict[str, Any]:
    """Ask the api, and return milliseconds by mode and door: all time, and the last day."""
    questions = [question for question, _ in examples().questions][:QUESTIONS]
    doors = {"patterns": "/api/patterns/search", "lines": "/api/logs/search"}
    found = {}
    for door, path in doors.items():
        for mode in Mode:
            if door == "lines" and mode is Mode.TEXT:
                continue  # that is the query language, measured beside
            for name, times in {"": {}, "_of_a_day": {"from": "-24h"}}.items():
                body = {"mode": mode.value, "limit": 20 if door == "patterns" else 100, "time_range": times}
                asked = [[_ask(url + path, {**body, "query": one}) for one in questions] for _ in range(1 + RUNS)]
                warm = [each for run in asked[1:] for each in run]
                found[f"{door}_{mode.value}{name}"] = {
                    "cold_max_ms": round(max(asked[0]), 1),
                    "warm_median_ms": round(statistics.median(warm), 1),
                    "warm_max_ms": round(max(warm), 1),
                }
    return found


def _ask(url: str, body: dict[str, Any]) -> float:
    began = time.perf_counter()
    with urlopen(Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}), timeout=120) as answer:
        answer.read()
    return (time.perf_counter() - began) * 1000
