"""``zero bench search``: searches over HTTP in a store of many entries, each asked once cold and then again."""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import corpus, record
from zero.application.key_ring import KeyRing
from zero.application.keys import Keys
from zero.application.overview import Overview
from zero.application.search import Search
from zero.application.tail import Tail
from zero.application.timeline import TimelineSearch
from zero.domain.batch_id import batch_id
from zero.domain.frame import pack_frame, unpack_frame
from zero.infrastructure.clickhouse.connection import connect, connect_writer
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.clickhouse.reader import ClickHouseReader
from zero.infrastructure.lucene.parser import LuceneParser
from zero.infrastructure.memory import MemoryBuffer, MemoryKeyStore, MemoryTelemetry
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.server import serve
from zero.interfaces.api.services import ApiServices

BLOCK_BATCHES = 100
BATCH_ENTRIES = 1000
BATCH_MS = 2000  # 2 ms an entry
LINES = 200_000
RARE_WORDS = 9
WARM_RUNS = 5
CODEC = NativeCodec()


@contextmanager
def store() -> Iterator[dict[str, ClickHouseOptions]]:
    """Start an embedded ClickHouse; yield how to reach it, by user."""
    with tempfile.TemporaryDirectory(prefix="zero-bench-") as folder:
        command = [sys.executable, "-m", "zero.embedded.clickhouse", "--path", folder, "--listen", "127.0.0.1:0"]
        with subprocess.Popen([*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            passwords = dict(line.split(":", 1) for line in (Path(folder) / "passwords").read_text().splitlines())
            try:
                yield {user: ClickHouseOptions(url, user=user, password=word) for user, word in passwords.items()}
            finally:
                process.terminate()


def fill(options: ClickHouseOptions, lines: list[bytes], entries: int) -> None:
    """Store the lines round and round, 2 ms apart and up to now, with nine rare words among them."""
    migrate(options)
    client = connect_writer(options)
    batches = entries // BATCH_ENTRIES
    start_ms = time.time_ns() // 1_000_000 - batches * BATCH_MS
    bodies = [b"\n".join(lines[at : at + BATCH_ENTRIES]) for at in range(0, len(lines), BATCH_ENTRIES)]
    for first in range(0, batches, BLOCK_BATCHES):
        frames = []
        for number in range(first, min(first + BLOCK_BATCHES, batches)):
            body, now_ms = bodies[number % len(bodies)], start_ms + number * BATCH_MS
            if number % (batches // RARE_WORDS or 1) == 0:
                body += b'\n{"message":"the rare word xylophone%d"}' % (number // (batches // RARE_WORDS or 1))
            decoded = CODEC.decode_json(body, now_ms * 1_000_000, "127.0.0.1")
            identity = batch_id(now_ms, 1, 0)
            data = pack_frame(identity, now_ms, decoded.accepted, "default", (decoded.payload,), CODEC.crc32c)
            frames.append(unpack_frame(data, CODEC.crc32c))
        client.command("INSERT INTO logs FORMAT Native", data=CODEC.encode_block(frames).data)
    client.close()


@contextmanager
def api(options: ClickHouseOptions) -> Iterator[str]:
    """Serve the api over the store in a thread; yield its URL."""
    stop, loop_made = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    sock = socket.create_server(("127.0.0.1", 0))

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        loop_made.set()
        clock, reader = SystemClock(), ClickHouseReader(lambda: connect(options))
        search, overview = Search(LuceneParser(), reader, clock), Overview(MemoryBuffer(clock), reader, clock)
        store, telemetry = MemoryKeyStore(), MemoryTelemetry()
        keys = KeyRing(store, clock, telemetry)
        await keys.refresh()
        timeline, tail = TimelineSearch(search, reader, clock), Tail(search, reader, clock)
        parts = ApiServices(search, timeline, tail, overview, bytes, keys, Keys(store, clock, telemetry))
        await serve(parts, ApiOptions(), [sock], stop)
        await reader.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop_made.wait()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
        sock.close()


def ask(url: str, query: str, path: str = "/api/logs") -> tuple[float, Any]:
    """Return milliseconds and answer."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode({'q': query})}", timeout=120) as answer:
        found = json.load(answer)
    return (time.perf_counter() - began) * 1000, found


def measure(url: str, queries: list[str], path: str = "/api/logs") -> dict[str, Any]:
    """Ask each query once cold, then again; return milliseconds, and how many entries the first found."""
    cold, warm, found = [], [], 0
    for query in queries:
        milliseconds, answer = ask(url, query, path)
        cold.append(milliseconds)
        found = found or len(answer.get("logs", answer.get("buckets", ())))
        warm += [ask(url, query, path)[0] for _ in range(WARM_RUNS)]
    figures = {"cold_median_ms": statistics.median(cold), "cold_max_ms": max(cold), "warm_median_ms": statistics.median(warm)}
    return {"queries": queries[:2], "found": found, **{name: round(value, 1) for name, value in figures.items()}}


def run(path: Path | None, entries: int) -> Path:
    """Measure, and write bench/results/search.json."""
    lines = corpus.lines(path, min(LINES, entries))
    apps = sorted({json.loads(line)["app_id"] for line in lines[:1000]})
    hosts = [f"node-{number:03d}" for number in (3, 50, 177)]
    traces = [json.loads(lines[number])["trace_id"] for number in (5, 500, 1000)]
    with store() as users:
        began = time.perf_counter()
        fill(users["default"], lines, entries)
        filled_seconds = time.perf_counter() - began
        with api(users["reader"]) as url:
            cases = {
                "rare_word": measure(url, [f"xylophone{number}" for number in range(1, RARE_WORDS)]),
                "latest_100_errors_of_an_app": measure(url, [f"app_id:{app} level:error" for app in apps]),
                "latest_100": measure(url, ["", "*"]),
                "phrase": measure(url, ['"No Route to Host"', '"insufficient funds"']),
                "no_such_word": measure(url, ["nosuchword", "norsuchaword"]),
                "metadata_key": measure(url, [f"metadata.host:{host} status:500" for host in hosts]),
                "trace_id": measure(url, [f"trace_id:{trace}" for trace in traces]),
                "histogram_of_a_day": measure(url, ["level:>=error", ""], "/api/histogram"),
            }
    about = {"corpus": corpus.describe(path, lines), "entries_stored": entries, "filled_seconds": round(filled_seconds, 1)}
    return record.write("search", {**about, "cases": cases})
