"""``zero bench native``: the core alone on one core, as the platform calls it: Python in, Python out, frames with their CRC."""

import time
from collections.abc import Callable
from pathlib import Path

from bench import corpus, record
from zero.domain.frame import Frame, pack_frame, unpack_frame
from zero.infrastructure.native.codec import NativeCodec

ENTRIES = 100_000
BATCH_ENTRIES = 1000
SINGLES = 20_000
RUNS = 9
NOW_NS = 1_795_341_600_000_000_000 + 600 * 10**9  # inside the time window of make_corpus.py's entries
PEER = "127.0.0.1"
CODEC = NativeCodec()


def best_per_second(work: Callable[[], object], count: int) -> dict[str, int]:
    """Return the best and the median rate of several runs; the slower ones were disturbed by others."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    return {"best": round(count / seconds[0]), "median": round(count / seconds[RUNS // 2])}


def json_to_frame(number: int, body: bytes) -> bytes:
    """Return the frame of an NDJSON body."""
    decoded = CODEC.decode_json(body, NOW_NS, PEER)
    return pack_frame(number, 1, decoded.accepted, "default", (decoded.payload,), CODEC.crc32c)


def log_batch_to_frame(number: int, body: bytes | memoryview) -> bytes:
    """Return the frame of a LogBatch body."""
    decoded = CODEC.decode_log_batch(body, NOW_NS, PEER)
    return pack_frame(number, 1, decoded.accepted, "default", (decoded.payload,), CODEC.crc32c)


def rates(lines: list[bytes]) -> dict[str, dict[str, int]]:
    """Return entries per second by step."""
    bodies = [b"\n".join(lines[at : at + BATCH_ENTRIES]) for at in range(0, len(lines), BATCH_ENTRIES)]
    frames: list[Frame] = [unpack_frame(json_to_frame(at, body), CODEC.crc32c) for at, body in enumerate(bodies)]
    payloads = [bytes(frame.payload) for frame in frames]
    singles = lines[:SINGLES]
    return {
        "json_to_frame": best_per_second(lambda: [json_to_frame(at, body) for at, body in enumerate(bodies)], len(lines)),
        "log_batch_to_frame": best_per_second(
            lambda: [log_batch_to_frame(at, payload) for at, payload in enumerate(payloads)], len(lines)
        ),
        "frame_to_block": best_per_second(lambda: CODEC.encode_block(frames), len(lines)),
        "single_json_calls": best_per_second(lambda: [CODEC.decode_json(line, NOW_NS, PEER) for line in singles], len(singles)),
    }


def run(path: Path | None) -> Path:
    """Measure, and write bench/results/native.json."""
    lines = corpus.lines(path, ENTRIES)
    return record.write("native", {"corpus": corpus.describe(path, lines), "entries_per_second": rates(lines)})
