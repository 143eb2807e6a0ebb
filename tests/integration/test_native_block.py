"""Blocks go into a real ClickHouse and come back as they were."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from chdb import _chdb

from zero.application.ports import RowRange
from zero.domain.entry import Level, LogEntry, MetadataValue
from zero.domain.frame import Frame, pack_frame, unpack_frame
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()
TABLE = """
CREATE TABLE logs (
  tenant LowCardinality(String), app_id LowCardinality(String), source LowCardinality(String),
  environment LowCardinality(String), timestamp DateTime64(9, 'UTC'), received_at DateTime64(3, 'UTC'),
  level Enum8('TRACE' = 1, 'DEBUG' = 2, 'INFO' = 3, 'WARN' = 4, 'ERROR' = 5, 'FATAL' = 6),
  message String, _trace String, span_id String, user_id String, metadata JSON, pattern_id UInt64, _bid UInt64, _idx UInt32,
  trace_id String ALIAS multiIf(length(_trace) = 16, lower(hex(_trace)),
    length(_trace) > 16 AND replaceAll(substring(_trace, 17), '\\0', '') = '', substring(_trace, 1, length(_trace) - 1), _trace)
) ENGINE = MergeTree ORDER BY (_bid, _idx) SETTINGS min_bytes_for_wide_part = {wide}
"""
FIELDS = "app_id, source, environment, toUnixTimestamp64Nano(timestamp), toInt8(level), message, trace_id, span_id, user_id"


@pytest.fixture(params=[0, 1 << 30], ids=["wide", "compact"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_chdb.connect]:
    connection = _chdb.connect(str(tmp_path / "store"))
    connection.query(TABLE.format(wide=request.param))
    yield connection
    connection.query("DROP TABLE logs SYNC")
    connection.close()


def frame_of(entries: list[LogEntry], batch_id: int = 7, tenant: str = "default") -> Frame:
    data = pack_frame(batch_id, 1_700_000_000_123, len(entries), tenant, [write_log_batch(entries)], CODEC.crc32c)
    return unpack_frame(data, CODEC.crc32c)


def insert(store: _chdb.connect, block: bytes) -> None:
    handle = store.send_insert("INSERT INTO logs", "Native")
    store.insert_append(handle, block)
    store.insert_done(handle)


def select(store: _chdb.connect, sql: str) -> list[list]:
    settings = "SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_quote_64bit_floats = 0"
    lines = store.query(f"{sql} {settings}", "JSONCompactEachRow").bytes().decode().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def stored_entries(store: _chdb.connect) -> list[LogEntry]:
    texts = select(store, f"SELECT {FIELDS} FROM logs ORDER BY _bid, _idx")
    lines = store.query(
        "SELECT metadata, JSONAllPathsWithTypes(metadata) FROM logs ORDER BY _bid, _idx"
        " SETTINGS output_format_json_quote_64bit_integers = 0",
        "JSONCompactEachRow",
    )
    metadata = [json.loads(line, object_pairs_hook=list, parse_int=whole) for line in lines.bytes().decode().split("\n")[:-1]]
    return [
        LogEntry(message, timestamp, Level(level), app, source, environment, trace, span, user, flat(pairs, dict(types)))
        for (app, source, environment, timestamp, level, message, trace, span, user), (pairs, types) in zip(
            texts, metadata, strict=True
        )
    ]


def whole(text: str) -> float:
    """ClickHouse writes the Float64 -0.0 as ``-0``, whose sign an int would lose."""
    return -0.0 if text == "-0" else int(text)


def flat(pairs: list, types: dict[str, str]) -> dict[str, MetadataValue]:
    """Undo the nesting that ClickHouse gives to dots in a path."""
    out: dict[str, MetadataValue] = {}
    for key, value in pairs:
        if isinstance(value, list):
            out.update({f"{key}.{inner}": deep for inner, deep in flat(value, {}).items()})
        else:
            out[key] = value
    return {key: float(value) if types.get(key) == "Float64" else value for key, value in out.items()}


HOSTILE: list[dict[str, MetadataValue]] = [
    {},
    {"": 1},
    {".": 1, "..": 2, "a": 3, "a.": 4, ".a": 5, "a..b": 6, "a.b": 7, "a.b.c": "deep"},
    {"%2E": 1, "a%2Eb": 2, "`a`": 3, "a`b": 4, "\\": 5, '"': 6, "'": 7, "a b": 8, "\n": 9, "\0": 10, "a\0b": 11},
    {"ключ": 1, "😀": 2, "é": 3, "e\u0301": 4, "\u2028": 5, "\ufeff": 6, "k" * 128: 7, "字" * 42: 8},
    {
        "null": 1,
        "a.null": 2,
        "a.size0": 3,
        "a.String": 4,
        "a:Int64": 5,
        "^a": 6,
        "a[]": 7,
        "a[].b": 8,
        "@": 9,
        "a.:`Int64`": 10,
    },
    {"a.variant_discr": 1, "object_structure": 2, "object_shared_data": 3, "a.dynamic_structure": 4, "/": 5, "../x": 6},
    {"mixed": -(2**63)},
    {"mixed": 2**63 - 1},
    {"mixed": 2**64 - 1},
    {"mixed": "text"},
    {"mixed": True},
    {"mixed": False},
    {"mixed": -0.0},
    {"mixed": 1.0},
    {"mixed": 5e-324},
    {"mixed": 1.7976931348623157e308},
    {"mixed": 0.1},
    {"long": "x" * 16384, "nul": "a\0b\0", "unicode": "\U0010ffff\u2028", "empty": "", "json": '[1,{"a":"b"}]'},
]


def entry(number: int, metadata: dict[str, MetadataValue]) -> LogEntry:
    trace = ["", "ab" * 16, "AB" * 16, "x" * 16, "x" * 16 + "\0", "x" * 16 + "\0\0", "x" * 17, "\0" * 16, "y" * 64][number % 9]
    message = ["a", "nul \0 inside", "😀 ünï", "m" * (256 * 1024), "line\nbreak\ttab"][number % 5]
    timestamp_ns = [0, 1, 1_700_000_000_123_456_789, 2**63 - 1 - 10**18][number % 4]
    level = Level(number % 6 + 1)
    return LogEntry(message, timestamp_ns, level, f"app {number}", "s\0rc", "prod", trace, "span" * 8, "u😀", metadata)


def same(left: LogEntry, right: LogEntry) -> bool:
    def exact(metadata: dict[str, MetadataValue]) -> dict[str, tuple[str, MetadataValue, float]]:
        return {key: (type(value).__name__, value, sign(value)) for key, value in metadata.items()}

    def sign(value: MetadataValue) -> float:
        return math.copysign(1, value) if isinstance(value, float) else 0

    return left == right and exact(left.metadata) == exact(right.metadata)


def assert_stored(store: _chdb.connect, entries: list[LogEntry]) -> None:
    found = stored_entries(store)
    assert len(found) == len(entries)
    assert [number for number, pair in enumerate(zip(found, entries, strict=True)) if not same(*pair)] == []


def test_hostile_entries_come_back_as_they_were_even_after_a_merge(store: _chdb.connect) -> None:
    entries = [entry(number, metadata) for number, metadata in enumerate(HOSTILE)]
    insert(store, CODEC.encode_block([frame_of(entries[:9], 1)]).data)
    insert(store, CODEC.encode_block([frame_of(entries[9:], 2)]).data)
    assert_stored(store, entries)
    store.query("OPTIMIZE TABLE logs FINAL")
    assert_stored(store, entries)


def test_thousands_of_distinct_keys_in_one_block_all_come_back(store: _chdb.connect) -> None:
    values: list[MetadataValue] = ["text", 7, 2.5, True, 2**64 - 1, ""]
    rows = [{f"key {row * 36 + key}": values[(row + key) % 6] for key in range(40)} for row in range(30)]
    entries = [entry(number, metadata) for number, metadata in enumerate(rows)]
    insert(store, CODEC.encode_block([frame_of(entries)]).data)
    assert_stored(store, entries)
    store.query("OPTIMIZE TABLE logs FINAL")
    assert_stored(store, entries)


def test_identity_tenant_and_pattern_of_chosen_rows(store: _chdb.connect) -> None:
    entries = [LogEntry(f"took {number} ms", number) for number in range(10)]
    frames = [frame_of(entries, 2**64 - 1, "acme"), frame_of(entries, 5, "other")]
    insert(store, CODEC.encode_block(frames, [RowRange(0, 8, 10), RowRange(1, 0, 1)]).data)
    pattern = CODEC.pattern_id("took 5 ms")
    rows = select(
        store, "SELECT _bid, _idx, tenant, pattern_id, toUnixTimestamp64Milli(received_at) FROM logs ORDER BY _bid, _idx"
    )
    received = 1_700_000_000_123
    assert rows == [[5, 0, "other", pattern, received]] + [[2**64 - 1, index, "acme", pattern, received] for index in (8, 9)]


def test_a_block_without_rows_is_accepted(store: _chdb.connect) -> None:
    insert(store, CODEC.encode_block([]).data)
    assert select(store, "SELECT count() FROM logs") == [[0]]
