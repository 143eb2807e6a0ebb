"""``zero bench serialize``: the same entries as JSON and as ``LogBatch``: bytes, and how fast each parser reads them.

Every parser turns a body of 1,000 entries into what its users work with: dictionaries, typed objects, messages; the native ones
into a validated frame payload, which is more work than parsing. One core, best and median of several runs, taken in turns.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import corpus, record
from bench.native import BATCH_ENTRIES, NOW_NS, PEER
from zero.infrastructure.native.codec import NativeCodec

ENTRIES = 20_000
RUNS = 7
CODEC = NativeCodec()
BASELINE = "json (standard library)"

Parse = Callable[[bytes], object]


def parsers() -> dict[str, tuple[str, Parse]]:
    """Return format and parser by name. ``orjson`` and ``msgspec`` come with ``make setup``."""
    import msgspec
    import orjson

    decoder = msgspec.json.Decoder(_entry_type())
    message = _message_class()
    return {
        BASELINE: ("json", lambda body: [json.loads(line) for line in body.split(b"\n")]),
        "orjson": ("json", lambda body: [orjson.loads(line) for line in body.split(b"\n")]),
        "msgspec (typed)": ("json", decoder.decode_lines),
        "zero native, simdjson (validated frame)": ("json", lambda body: CODEC.decode_json(body, NOW_NS, PEER)),
        "protobuf for Python (upb)": ("protobuf", message.FromString),
        "zero native, protozero (validated frame)": ("protobuf", lambda body: CODEC.decode_log_batch(body, NOW_NS, PEER)),
    }


def _entry_type() -> Any:
    import msgspec

    texts = ("message", "app_id", "timestamp", "level", "source", "environment", "trace_id", "span_id", "user_id")
    fields = [(name, str, "") for name in texts]
    return msgspec.defstruct("Entry", [*fields, ("metadata", dict[str, Any], msgspec.field(default_factory=dict))])


def _message_class() -> Any:
    """Return the class that Google's library makes of our contract."""
    from google.protobuf.message_factory import GetMessageClass

    from zero.interfaces.ingest_grpc.messages import pool

    return GetMessageClass(pool().FindMessageTypeByName("zero.v1.LogBatch"))


def writers() -> dict[str, Callable[[list[dict[str, Any]]], bytes]]:
    """Return what writes a body of entries, by name."""
    import msgspec
    import orjson

    encoder = msgspec.json.Encoder()
    return {
        BASELINE: lambda entries: b"\n".join(json.dumps(entry, separators=(",", ":")).encode() for entry in entries),
        "orjson": lambda entries: b"\n".join(orjson.dumps(entry) for entry in entries),
        "msgspec (typed)": encoder.encode_lines,
    }


def in_turns(works: dict[str, Callable[[], object]], count: int) -> dict[str, dict[str, float]]:
    """Return best and median entries a second; the works take turns, so that a disturbance falls on all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(RUNS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {"best": round(count / min(taken)), "median": round(count / statistics.median(taken))}
        for name, taken in seconds.items()
    }


def measure(lines: list[bytes]) -> dict[str, Any]:
    """Return sizes, rates and their ratios."""
    bodies = {"json": [b"\n".join(lines[at : at + BATCH_ENTRIES]) for at in range(0, len(lines), BATCH_ENTRIES)]}
    bodies["protobuf"] = [CODEC.decode_json(body, NOW_NS, PEER).payload for body in bodies["json"]]
    mean = {form: round(sum(map(len, many)) / len(lines), 1) for form, many in bodies.items()}
    chosen = parsers()
    works = {name: _all_of(parse, bodies[form]) for name, (form, parse) in chosen.items()}
    read = in_turns(works, len(lines))
    base, simdjson = read[BASELINE]["best"], read["zero native, simdjson (validated frame)"]["best"]
    for name, rates in read.items():
        rates["to_standard_library"] = round(rates["best"] / base, 2)
        rates["to_simdjson"] = round(rates["best"] / simdjson, 2)
        rates["megabytes_per_second"] = round(rates["best"] * mean[chosen[name][0]] / 1e6, 1)
    entries = [[json.loads(line) for line in body.split(b"\n")] for body in bodies["json"]]
    return {
        "bytes_an_entry": {**mean, "protobuf_smaller_percent": round(100 * (1 - mean["protobuf"] / mean["json"]), 1)},
        "parse_entries_per_second": read,
        "write_entries_per_second": in_turns({name: _all_of(write, entries) for name, write in writers().items()}, len(lines)),
    }


def _all_of(work: Callable[[Any], object], inputs: list[Any]) -> Callable[[], object]:
    return lambda: [work(each) for each in inputs]


def run(path: Path | None) -> Path:
    """Measure, and write bench/results/serialize.json."""
    lines = corpus.lines(path, ENTRIES)
    return record.write("serialize", {"corpus": corpus.describe(path, lines), **measure(lines)})
