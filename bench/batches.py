"""The same entries in bodies of any size, as NDJSON or as ``LogBatch``."""

import time
from dataclasses import replace
from pathlib import Path

from bench import corpus
from bench.load import NDJSON, PROTOBUF, Load
from zero.infrastructure.native.codec import NativeCodec

BODIES_MAX = 2000
LINES = 64_000


def load_of(lines: list[bytes], entries: int, connections: int, content_type: str = NDJSON) -> Load:
    """Return bodies of that many entries each, cut from the lines."""
    count = max(1, min(BODIES_MAX, len(lines) // entries))
    bodies = [b"\n".join(lines[number * entries : (number + 1) * entries]) for number in range(count)]
    load = Load(bodies, entries, connections)
    return as_protobuf(load) if content_type == PROTOBUF else load


def as_protobuf(load: Load) -> Load:
    """Return the same entries as ``LogBatch``."""
    codec, now_ns = NativeCodec(), time.time_ns()
    bodies = [codec.decode_json(body, now_ns, "127.0.0.1").payload for body in load.bodies]
    return replace(load, bodies=bodies, content_type=PROTOBUF)


def lines_of(path: Path | None) -> list[bytes]:
    """Return enough lines for every load."""
    return corpus.lines(path, LINES)
