"""Every stage of the benchmark runs for a moment and accounts for its entries; so do the generators of the other doors."""

import asyncio
import dataclasses
import json
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

stages = pytest.importorskip("bench.stages", reason="the benchmarks live in a clone")
from bench import batches, corpus, drain, grpc, load, measure, peer, running, search, servers  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("wrk") and shutil.which("h2load")),
        reason="wrk and h2load are missing: sh deploy/machine.sh test-packages",
    ),
]

LINES = list(corpus.generate(2_000))
SECONDS = (1, 5, 20)
"""How long to load: longer when a machine with other things to do has answered nothing."""


def plan(seconds: int) -> measure.Plan:
    return measure.Plan(runs=1, seconds=seconds, warm_seconds=0, rest_seconds_max=30)


def answered(run: Callable[[int], dict]) -> dict:
    """Return the case of the shortest run in which something was acknowledged."""
    case: dict = {}
    for seconds in SECONDS:
        case = run(seconds)
        if case["entries_acknowledged"]:
            break
    return case


def run_stage(number: int, batch: int, how: measure.Plan, crashes: bool = False) -> dict:
    options = stages.Options(batches=(batch,), plan=how, profile_seconds=0, crashes=crashes, warm_seconds=0)
    return stages.run_stage(stages.STAGES[number - 1], LINES, options)


def assert_whole(case: dict) -> None:
    assert case["entries_acknowledged"] > 0
    assert case["entries_accepted"] >= case["entries_acknowledged"]
    assert case["entries_stored"] >= case["entries_accepted"]
    assert case["entries_lost"] == 0
    assert case["latency"]["p999_ms"]["median"] >= case["latency"]["p50_ms"]["median"] > 0
    assert case["entries_per_second_stored"]["median"] > 0
    roles = {name.rpartition("-")[0] for name in case["peak_memory_mib"]}
    assert {"ingest", "clickhouse", "valkey"} <= roles


@pytest.mark.parametrize("number", [1, 3, 4, 5])
def test_a_stage_that_waits_stores_what_it_accepted(number):
    assert_whole(answered(lambda seconds: run_stage(number, 20, plan(seconds))["cases"][0]))


def test_fire_and_forget_loses_what_its_process_held_when_it_was_killed():
    case: dict = {}
    for seconds in SECONDS:
        (case,) = run_stage(2, 1, dataclasses.replace(plan(seconds), rest_seconds_max=0))["cases"]
        if case["entries_lost"]:
            break
    assert case["entries_accepted"] > case["entries_stored"]
    assert case["entries_lost"] == case["entries_accepted"] - case["entries_stored"]


def test_a_crash_of_ingest_under_load_loses_nothing_in_the_native_stage():
    crash: dict = {}
    for seconds in SECONDS:
        found = run_stage(6, 20, plan(seconds), crashes=True)
        crash = found["crash"]
        assert crash["entries_lost"] == found["cases"][0]["entries_lost"] == 0
        if crash["processes_killed"] and crash["entries_acknowledged"] and found["cases"][0]["entries_acknowledged"]:
            break
    assert_whole(found["cases"][0])
    assert crash["processes_killed"] > 0
    assert crash["entries_acknowledged"] > 0


def test_the_other_doors_take_the_load_of_their_generators():
    address = f"127.0.0.1:{running.free_port()}"
    ways = {
        "protobuf": (load.PROTOBUF, load.wrk),
        "http2": (load.NDJSON, partial(load.h2load, streams=5)),
        "grpc by h2load": (load.PROTOBUF, partial(grpc.by_h2load, address=address, calls=2)),
        "grpc stream": (load.PROTOBUF, partial(grpc.generate, address=address, stream=3)),
    }
    with running.platform(ZERO_INGEST_GRPC=address) as platform:
        for name, (content_type, send) in ways.items():
            body = batches.load_of(LINES, 20, 2, content_type)
            assert_whole(answered(partial(one_case, platform, name, body, send)))
        for protocol in ("bulk", "loki", "otlp"):
            assert peer_rate(platform.ingest_url, protocol, 1000) > 0


def one_case(platform: running.Platform, name: str, body: load.Load, send: measure.Send, seconds: int) -> dict:
    return measure.case(platform, name, body, plan(seconds), send)


def peer_rate(url: str, protocol: str, entries: int) -> float:
    """Return how many entries a second a peer accepts in requests of so many."""
    rate = 0.0
    for seconds in SECONDS:
        options = peer.Options(url, protocol, seconds=seconds, runs=1)
        (body,) = (each for each in peer.loads(LINES, options) if each.entries == entries)
        (case,) = peer.measure([body], options, warm_seconds=0)
        rate = case["entries_per_second_accepted"]["median"]
        if rate:
            break
    return rate


def test_the_drain_alone_is_timed_between_its_first_block_and_its_last():
    with servers.servers() as started:
        found = drain.measure(started, drain.payloads(LINES, 500), 210_000, 0)
        assert drain.settled(started) == found["entries"] >= 210_000
    assert found["entries_per_second"] > 0
    assert found["cpu_us_an_entry"]["drain"] > 0


class Counter(asyncio.Protocol):
    """Counts the lines of HTTP/1.1 bodies with a length, and answers 200."""

    lines = 0
    paths: set[bytes] = set()  # noqa: RUF012
    transports: list[asyncio.Transport] = []  # noqa: RUF012

    def connection_made(self, transport):
        self.transport, self.data = transport, b""
        self.transports.append(transport)

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            (length,) = (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            if len(rest) < length:
                return
            body, self.data = rest[:length], rest[length:]
            Counter.lines += sum("message" in json.loads(line) for line in body.split(b"\n"))
            Counter.paths.add(head.split(b" ")[1].partition(b"?")[0])
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def counting() -> Iterator[str]:
    """Serve in a thread; yield the URL."""
    urls: queue.Queue[str] = queue.Queue()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        server = await asyncio.get_running_loop().create_server(Counter, "127.0.0.1", 0)
        urls.put(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await stop.wait()
        server.close()
        for transport in Counter.transports:
            transport.abort()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield urls.get(timeout=10)
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def test_a_peer_that_takes_json_lines_gets_them_where_it_wants_them():
    with counting() as url:
        assert peer_rate(url, "jsonline", 1) > 0
        assert peer_rate(url, "jsonline", 1000) > 0
    assert Counter.lines > 1000
    assert Counter.paths == {b"/insert/jsonline"}


def test_the_searches_find_what_was_stored_for_them():
    with search.store() as stored:
        search.fill(stored.writer, LINES, 4_000)
        size = search.merged(stored.writer, wholly=True)
        found = search.cases(stored, LINES, 4_000)
    assert 20 < size["bytes_an_entry"] < 400
    nothing = {name for name, case in found.items() if not case["found"]}
    assert nothing == {"no_such_word"}
    assert all(case["cold_max_ms"] >= case["warm_min_ms"] > 0 for case in found.values())
