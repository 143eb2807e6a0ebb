"""``zero bench drain``: one drain process alone, from a full stream until stored and settled.

The stream is filled while no drain runs. The rate is taken between the first block settled and the last one, so that the start
of the process and its recovery are not in it (they are reported beside it). Rows are counted in the store at the end.
"""

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bench import corpus, profile, record
from bench.processes import by_role, cpu_seconds, peak_memory_mib, used_since
from bench.servers import Servers, servers, stop
from zero.application.ports import Append
from zero.bootstrap import clickhouse_options, redis_options
from zero.domain.batch_id import BatchIds
from zero.domain.frame import pack_frame
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.redis import RedisBuffer
from zero.infrastructure.redis.keys import shard_keys

LINES = 200_000
FRAMES_AN_APPEND = 16
POLL_SECONDS = 0.002
DRAIN_SECONDS_MAX = 300
MERGE_SECONDS_MAX = 60
ROLES = ("drain", "clickhouse", "valkey")
CODEC = NativeCodec()


@dataclass(frozen=True)
class Options:
    """``entries`` are drained in each of the ``runs``, in frames of ``frame_entries``; ``profile`` samples one run more."""

    entries: int = 2_000_000
    frame_entries: int = 1000
    runs: int = 3
    profile: bool = False


def payloads(lines: list[bytes], frame_entries: int) -> list[tuple[bytes, int]]:
    """Return the lines as decoded batches: payload and number of entries."""
    now_ns = time.time_ns()
    bodies = (b"\n".join(lines[at : at + frame_entries]) for at in range(0, len(lines), frame_entries))
    decoded = (CODEC.decode_json(body, now_ns, "127.0.0.1") for body in bodies)
    return [(each.payload, each.accepted) for each in decoded]


async def fill(running: Servers, batches: list[tuple[bytes, int]], entries: int) -> int:
    """Append frames until the stream holds that many entries or a few more; return how many."""
    buffer = RedisBuffer(redis_options(running.settings))
    ids, held, at = BatchIds(await buffer.next_process_epoch()), 0, 0
    while held < entries:
        appends: list[Append] = []
        now_ms = time.time_ns() // 1_000_000
        while held < entries and len(appends) < FRAMES_AN_APPEND:
            payload, count = batches[at % len(batches)]
            frame = pack_frame(ids.next(now_ms), now_ms, count, "default", (payload,), CODEC.crc32c)
            appends.append(Append(0, frame, "default", count))
            held, at = held + count, at + 1
        await buffer.append(appends)
    await buffer.close()
    return held


def watch(running: Servers, target: int) -> list[tuple[float, int]]:
    """Return (time, entries settled) each time that the number changed, up to the target."""
    seen: list[tuple[float, int]] = []
    key = shard_keys("zero", 0).ledger
    deadline = time.monotonic() + DRAIN_SECONDS_MAX
    with redis.Redis.from_url(running.settings.buffer_url) as client:
        while not seen or seen[-1][1] < target:
            stored = sum(int(count) for field, count in client.hgetall(key).items() if field.startswith(b"stored:"))
            if not seen or stored != seen[-1][1]:
                seen.append((time.monotonic(), stored))
            if time.monotonic() > deadline:
                raise RuntimeError(f"the drain stored {stored} of {target} entries in {DRAIN_SECONDS_MAX} s")
            time.sleep(POLL_SECONDS)
    return seen


def measure(running: Servers, batches: list[tuple[bytes, int]], entries: int, already: int) -> dict[str, Any]:
    """Fill the stream, drain it with one process, and return the figures of this run."""
    held = asyncio.run(fill(running, batches, entries))
    began, before = time.monotonic(), cpu_seconds(os.getpid())
    process = running.start("drain", "--shard", "0")
    try:
        ready = time.monotonic()
        seen = watch(running, already + held)
        used = used_since(before, cpu_seconds(os.getpid()))
        memory = peak_memory_mib(os.getpid())
    finally:
        stop(process)
    moved = [point for point in seen if point[1] > already]
    (first, first_count), (last, last_count) = moved[0], moved[-1]
    us = {role: round(seconds / held * 1e6, 3) for role, seconds in by_role(used).items() if role in ROLES}
    return {
        "entries": held,
        "entries_per_second": round((last_count - first_count) / (last - first) if last > first else held / (last - began)),
        "seconds": round(last - first, 3),
        "seconds_from_process_start": round(last - began, 3),
        "seconds_from_ready": round(last - ready, 3),
        "settlements_seen": len(moved),
        "cpu_us_an_entry": us,
        "cpu_seconds": {name: seconds for name, seconds in used.items() if seconds},
        "peak_memory_mib": {name: mib for name, mib in memory.items() if name.rpartition("-")[0] in ROLES},
    }


def profiled(running: Servers, batches: list[tuple[bytes, int]], entries: int) -> dict[str, Any]:
    """Drain once more under the sampler; return its profile."""
    asyncio.run(fill(running, batches, entries))
    process = running.start("drain", "--shard", "0")
    try:
        with profile.sampled(process.pid, 3) as found:
            pass
    finally:
        stop(process)
    return found


def settled(running: Servers) -> int:
    """Return the rows of the store once its merges have come to rest, so that they do not disturb the next run."""
    client = connect_writer(clickhouse_options(running.settings))
    deadline = time.monotonic() + MERGE_SECONDS_MAX
    while int(str(client.command("SELECT count() FROM system.merges"))) and time.monotonic() < deadline:
        time.sleep(0.2)
    rows = int(str(client.command("SELECT count() FROM logs")))
    client.close()
    return rows


def run(path: Path | None, options: Options) -> Path:
    """Measure several times, and write bench/results/drain.json."""
    lines = corpus.lines(path, min(LINES, options.entries))
    batches = payloads(lines, options.frame_entries)
    runs: list[dict[str, Any]] = []
    with servers() as running:
        accepted = 0
        for _ in range(options.runs):
            runs.append(measure(running, batches, options.entries, accepted))
            accepted += runs[-1]["entries"]
            rows = settled(running)
        found = profiled(running, batches, options.entries) if options.profile else {}
    rates = [each["entries_per_second"] for each in runs]
    figures = {
        "corpus": corpus.describe(path, lines),
        "entries_a_frame": options.frame_entries,
        "entries_per_second": {"median": round(statistics.median(rates)), "min": min(rates), "max": max(rates)},
        "entries_accepted": accepted,
        "entries_stored": rows,
        "entries_lost": accepted - rows,
        "runs": runs,
        **({"profile": found} if found else {}),
    }
    return record.write("drain", figures)
