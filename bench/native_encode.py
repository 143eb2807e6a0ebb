"""How fast the native core turns frames into Native blocks and messages into pattern ids, on one core.

Usage: python bench/native_encode.py CORPUS.ndjson (of make_corpus.py; the first 100,000 entries are taken)
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from zero.domain.entry import Level, LogEntry
from zero.domain.frame import Frame, pack_frame, unpack_frame
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native import _core
from zero.infrastructure.native.codec import NativeCodec

ENTRIES_MAX = 100_000
FRAME_ENTRIES = 1_000
REPEATS = 20


def read_corpus(path: Path) -> list[LogEntry]:
    """Return the first entries of the corpus."""
    entries = []
    with path.open() as file:
        for line, _ in zip(file, range(ENTRIES_MAX), strict=False):
            row = json.loads(line)
            row["level"] = Level[row["level"]]
            row["timestamp_ns"] = round(datetime.fromisoformat(row.pop("timestamp")).timestamp() * 1000) * 1_000_000
            entries.append(LogEntry(**row))
    return entries


def frames_of(entries: list[LogEntry]) -> list[Frame]:
    """Return frames of ``FRAME_ENTRIES`` entries."""
    crc32c = NativeCodec().crc32c
    groups = (entries[start : start + FRAME_ENTRIES] for start in range(0, len(entries), FRAME_ENTRIES))
    packed = (
        pack_frame(number, 1, len(group), "default", [write_log_batch(group)], crc32c) for number, group in enumerate(groups)
    )
    return [unpack_frame(data, crc32c) for data in packed]


def per_second(work: Callable[[], object], count: int) -> float:
    """Return the best rate of several runs, by the processor time of this thread: the others were disturbed."""
    best = float("inf")
    for _ in range(REPEATS):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return count / best


def measure(corpus: Path) -> dict[str, float]:
    """Return the rates by name."""
    entries = read_corpus(corpus)
    frames = frames_of(entries)
    codec = NativeCodec()
    messages = [entry.message.encode() for entry in entries]
    return {
        "encode_rows_per_second": per_second(lambda: codec.encode_block(frames), len(entries)),
        "block_bytes_per_row": len(codec.encode_block(frames).data) / len(entries),
        "pattern_messages_per_second": per_second(lambda: _core.pattern_ids(messages), len(messages)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    for name, rate in measure(parser.parse_args().corpus).items():
        print(f"{name:30} {rate:14,.0f}")
