"""``zero bench search``: searches over HTTP in a store of many entries, each asked once cold and then again; and their size.

The entries are 2 ms apart and end now. Queries are asked once the store has merged what it would merge anyway; then all parts
are merged into one a day, and the bytes of an entry with all its indexes are counted again.
"""

import asyncio
import json
import re
import socket
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import corpus, meaning, record
from bench.measure import say
from bench.servers import Servers, servers, stop
from zero.application.ports import Scope
from zero.bootstrap import clickhouse_options
from zero.domain.batch_id import batch_id
from zero.domain.frame import pack_frame, unpack_frame
from zero.embedded.clickhouse.options import READER, read_passwords
from zero.infrastructure.clickhouse.connection import connect, connect_writer
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.native.codec import NativeCodec
from zero.settings import Address

BLOCK_BATCHES = 100
BATCH_ENTRIES = 1000
ENTRY_MS = 2
BATCH_MS = BATCH_ENTRIES * ENTRY_MS
MILLION = 1_000_000
MERGE_SECONDS_MAX = 120
LINES = 200_000
RARE_WORDS = 9
PATTERNS = 20_000
WARM_RUNS = 5
TIMESTAMP = re.compile(rb'"timestamp":"[^"]*",')
TRACE = re.compile(rb'"trace_id":"[^"]*",|,"trace_id":"[^"]*"')
GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835  # its multiples are spread over 128 bits as random ones are
OURS = "active AND database = currentDatabase() AND table = 'logs'"
PARTS = f"SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts WHERE {OURS}"
COLUMNS = f"""
SELECT column, sum(column_data_compressed_bytes) FROM system.parts_columns WHERE {OURS} GROUP BY column
UNION ALL SELECT 'index ' || name, sum(data_compressed_bytes) FROM system.data_skipping_indices
WHERE database = currentDatabase() AND table = 'logs' GROUP BY name
"""
CODEC = NativeCodec()


@dataclass(frozen=True)
class Store:
    """A migrated store and who may do what in it."""

    running: Servers
    writer: ClickHouseOptions
    reader: ClickHouseOptions


@contextmanager
def store() -> Iterator[Store]:
    """Start an embedded ClickHouse, and a buffer for the api beside it."""
    with servers() as running:
        writer = clickhouse_options(running.settings)
        password = read_passwords(running.folder / "clickhouse" / "passwords")[READER]
        yield Store(running, writer, replace(writer, user=READER, password=password))


def trace(number: int) -> bytes:
    """Return the trace id of an entry: 32 hex digits."""
    return b"%032x" % (number * GOLDEN % (1 << 128))


def fill(options: ClickHouseOptions, lines: list[bytes], entries: int) -> None:
    """Store the lines round and round, each with a time and a trace id of its own, with nine rare words among them."""
    client = connect_writer(options)
    batches = entries // BATCH_ENTRIES
    start_ms = time.time_ns() // 1_000_000 - batches * BATCH_MS
    bare = [TIMESTAMP.sub(b"", TRACE.sub(b"", line, count=1), count=1)[1:] for line in lines]
    for first in range(0, batches, BLOCK_BATCHES):
        frames = []
        for number in range(first, min(first + BLOCK_BATCHES, batches)):
            now_ms, at = start_ms + number * BATCH_MS, number * BATCH_ENTRIES
            body = b"\n".join(
                b'{"timestamp":%d,"trace_id":"%b",%b'
                % (now_ms + index * ENTRY_MS, trace(at + index), bare[(at + index) % len(bare)])
                for index in range(BATCH_ENTRIES)
            )
            if number % (batches // RARE_WORDS or 1) == 0:
                body += b'\n{"message":"the rare word xylophone%d"}' % (number // (batches // RARE_WORDS or 1))
            decoded = CODEC.decode_json(body, now_ms * 1_000_000, "127.0.0.1")
            identity = batch_id(now_ms, 1, 0)
            data = pack_frame(identity, now_ms, decoded.accepted, "default", (decoded.payload,), CODEC.crc32c)
            frames.append(unpack_frame(data, CODEC.crc32c))
        client.command("INSERT INTO logs FORMAT Native", data=CODEC.encode_block(frames).data)
    client.close()


def merged(options: ClickHouseOptions, *, wholly: bool) -> dict[str, Any]:
    """Wait for the merges that the store does by itself, or ask for all of them; return the size of what is there."""
    client = connect_writer(options)
    if wholly:
        client.command("OPTIMIZE TABLE logs FINAL")
    deadline = time.monotonic() + MERGE_SECONDS_MAX
    while int(str(client.command("SELECT count() FROM system.merges"))) and time.monotonic() < deadline:
        time.sleep(0.2)
    rows, size, parts = (int(each) for each in client.raw_query(PARTS, fmt="TSV").split())
    columns = [row.split("\t") for row in client.raw_query(COLUMNS, fmt="TSV").decode().splitlines()]
    client.close()
    by_column = {name: round(int(count) / rows, 2) for name, count in columns if int(count)}  # small parts do not tell
    return {"parts": parts, "bytes_an_entry": round(size / rows, 2), "columns": by_column}


@contextmanager
def api(stored: Store) -> Iterator[str]:
    """Serve the store with a ``zero api`` that may only read it; yield its URL."""
    reader = stored.reader
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = Address("127.0.0.1", free.getsockname()[1])
    url = f"http://{reader.user}:{quote(reader.password)}@{reader.host}:{reader.port}/{reader.database}"
    process = replace(stored.running, settings=replace(stored.running.settings, clickhouse_url=url, api=address)).start("api")
    try:
        yield f"http://127.0.0.1:{address.port}"
    finally:
        stop(process)


def ask(url: str, path: str, parameters: dict[str, str]) -> tuple[float, Any]:
    """Return milliseconds and answer."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(parameters)}", timeout=120) as answer:
        found = json.load(answer)
    return (time.perf_counter() - began) * 1000, found


def measure(url: str, queries: list[str], path: str = "/api/logs", **more: str) -> dict[str, Any]:
    """Ask each query once cold, then again; return milliseconds, and how many entries the first found."""
    cold, warm, found = [], [], 0
    for query in queries:
        parameters = {"q": query, **more}
        milliseconds, answer = ask(url, path, parameters)
        cold.append(milliseconds)
        lists = ("logs", "buckets", "facets", "patterns", "anomalies")
        found = found or len(next((answer[key] for key in lists if key in answer), answer))  # facets are by field
        warm += [ask(url, path, parameters)[0] for _ in range(WARM_RUNS)]
    return {"queries": queries[:2], "found": found, **_figures(cold, warm)}


def _figures(cold: list[float], warm: list[float]) -> dict[str, float]:
    figures = {
        "cold_median_ms": statistics.median(cold),
        "cold_max_ms": max(cold),
        "warm_median_ms": statistics.median(warm),
        "warm_min_ms": min(warm),
        "warm_max_ms": max(warm),
    }
    return {name: round(value, 1) for name, value in figures.items()}


def top_sources(options: ClickHouseOptions, from_ns: int) -> dict[str, Any]:
    """Count the most frequent sources through the reader: the page of the api counts all its facets in one answer."""

    async def count() -> tuple[list[float], int]:
        reader = ClickHouseReader(lambda: connect(options))
        scope = Scope("default", LuceneParser().parse("", time.time_ns()), from_ns)
        times, found = [], 0
        for _ in range(1 + 3 * WARM_RUNS):
            began = time.perf_counter()
            found = len((await reader.facets(scope, ["source"], 10))["source"])
            times.append((time.perf_counter() - began) * 1000)
        await reader.close()
        return times, found

    times, found = asyncio.run(count())
    return {"queries": ["top 10 of source"], "found": found, **_figures(times[:1], times[1:])}


def cases(stored: Store, lines: list[bytes], entries: int) -> dict[str, Any]:
    """Ask everything, and return the figures by case."""
    apps = sorted({json.loads(line)["app_id"] for line in lines[:1000]})
    hosts = [f"node-{number:03d}" for number in (3, 50, 177)]
    traces = [trace(entries * part // 4).decode() for part in (1, 2, 3)]
    minutes = max(1, min(1000, entries * ENTRY_MS // 60_000 + 1))
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    window = {"from": since.isoformat().replace("+00:00", "Z")}
    with api(stored) as url:
        return {
            "rare_word": measure(url, [f"xylophone{number}" for number in range(1, RARE_WORDS)]),
            "latest_100_errors_of_an_app": measure(url, [f"app_id:{app} level:error" for app in apps]),
            "histogram_per_minute_by_level": measure(url, [""], "/api/histogram", buckets=str(minutes), **window),
            "top_sources": top_sources(stored.reader, int(since.timestamp() * 1e9)),
            "metadata_key": measure(url, [f"metadata.host:{host} status:500" for host in hosts]),
            "trace_id": measure(url, [f"trace_id:{trace}" for trace in traces]),
            "latest_100": measure(url, ["", "*"]),
            "phrase": measure(url, ['"No Route to Host"', '"insufficient funds"']),
            "no_such_word": measure(url, ["nosuchword", "norsuchaword"]),
            "facets_of_all_fields": measure(url, [""], "/api/facets", **window),
            "histogram_of_a_day": measure(url, ["level:>=error", ""], "/api/histogram"),
        }


def opening(url: str) -> dict[str, Any]:
    """Ask what the page asks when it is opened, and when its patterns are."""
    day = {"from": "-24h"}
    return {
        "page_lines": measure(url, [""], limit="100", **day),
        "page_histogram": measure(url, [""], "/api/histogram", buckets="90", **day),
        "page_facets": measure(url, [""], "/api/facets", limit="8", **day),
        "page_patterns": measure(url, [""], "/api/patterns", limit="200", **day),
        "page_rare_patterns": measure(url, [""], "/api/patterns", limit="200", sort="rare", **day),
        "page_anomalies": measure(url, [""], "/api/anomalies", limit="200"),
    }


def run(path: Path | None, entries: int) -> Path:
    """Measure, and write bench/results/search.json, of ten million and more search-10m.json."""
    lines = corpus.lines(path, min(LINES, entries))
    with store() as stored:
        say("search: asking questions whose answers are known")
        quality = meaning.quality(stored.writer)
        say(f"search: storing {entries:,} entries")
        began = time.perf_counter()
        fill(stored.writer, lines, entries)
        filled_seconds = time.perf_counter() - began
        sizes = {"as_merged": merged(stored.writer, wholly=False)}
        say("search: asking")
        found = cases(stored, lines, entries)
        sizes["wholly_merged"] = merged(stored.writer, wholly=True)
        kinds = meaning.varied(lines, PATTERNS)
        say(f"search: storing {len(kinds):,} entries of {PATTERNS:,} more patterns, and making the catalogue")
        fill(stored.writer, kinds, len(kinds))
        asyncio.run(meaning.catalogued(stored.writer, BundledEmbedder()))
        merged(stored.writer, wholly=False)
        say("search: asking what the page asks, and questions")
        with api(stored) as url:
            found |= opening(url) | meaning.latency(url)
    about = {"corpus": corpus.describe(path, lines), "entries_stored": entries, "filled_seconds": round(filled_seconds, 1)}
    for name, figures in {**quality["recall_at_10"], **found}.items():
        print(f"{name}: {json.dumps(figures)}")
    name = f"search-{entries // MILLION}m" if entries >= 10 * MILLION else "search"
    return record.write(name, {**about, "more_patterns": PATTERNS, "stored": sizes, "quality": quality, "cases": found})
