"""The Native block of table ``logs`` in plain Python: the oracle of the native encoder, byte for byte."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zero.application.ports import Block, RowRange
from zero.domain.entry import LogEntry
from zero.domain.errors import CorruptFrame, InvalidInput
from zero.domain.frame import Frame
from zero.domain.varint import varint
from zero.infrastructure.codec.json_twin import json_column, string
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.codec.pattern_twin import pattern_id

LEVEL_TYPE = "Enum8('TRACE' = 1, 'DEBUG' = 2, 'INFO' = 3, 'WARN' = 4, 'ERROR' = 5, 'FATAL' = 6)"
PACKED_TRACE_BYTES = 16
_HEX = frozenset(b"0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table before it is split into columns."""

    frame: Frame
    index: int
    entry: LogEntry


def encode_block(frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
    """Encode the chosen rows (None: all) as one Native block. Raises CorruptFrame on a bad payload or range."""
    chosen = list(_rows(frames, rows))
    columns = list(_columns(chosen))
    parts = [varint(len(columns)), varint(len(chosen))]
    for name, kind, data in columns:
        parts += string(name.encode()), string(kind.encode()), data if chosen else b""
    return Block(b"".join(parts), len(chosen))


def _rows(frames: Sequence[Frame], ranges: Sequence[RowRange] | None) -> Iterable[Row]:
    if ranges is None:
        ranges = [RowRange(position, 0, frame.count) for position, frame in enumerate(frames)]
    batches: dict[int, list[LogEntry]] = {}
    for chosen in ranges:
        if not (0 <= chosen.frame < len(frames) and 0 <= chosen.start <= chosen.stop <= frames[chosen.frame].count):
            raise CorruptFrame(f"no such rows: {chosen}")
        frame = frames[chosen.frame]
        if chosen.frame not in batches:
            batches[chosen.frame] = _entries(frame)
        for index in range(chosen.start, chosen.stop):
            yield Row(frame, frame.first_index + index, batches[chosen.frame][index])


def _entries(frame: Frame) -> list[LogEntry]:
    try:
        entries = read_log_batch(frame.payload)
    except InvalidInput as error:
        raise CorruptFrame(error.message) from error
    if len(entries) != frame.count:
        raise CorruptFrame(f"the frame holds {len(entries)} entries, not {frame.count}")
    return entries


def _columns(rows: Sequence[Row]) -> Iterable[tuple[str, str, bytes]]:
    entries = [row.entry for row in rows]
    yield "tenant", "LowCardinality(String)", dictionary([row.frame.tenant for row in rows])
    yield "app_id", "LowCardinality(String)", dictionary([entry.app_id for entry in entries])
    yield "source", "LowCardinality(String)", dictionary([entry.source for entry in entries])
    yield "environment", "LowCardinality(String)", dictionary([entry.environment for entry in entries])
    yield "timestamp", "DateTime64(9, 'UTC')", numbers("q", [entry.timestamp_ns for entry in entries])
    yield "received_at", "DateTime64(3, 'UTC')", numbers("Q", [row.frame.received_ms for row in rows])
    yield "level", LEVEL_TYPE, numbers("b", [entry.level for entry in entries])
    yield "message", "String", texts(entry.message for entry in entries)
    yield "_trace", "String", b"".join(string(pack_trace(entry.trace_id.encode())) for entry in entries)
    yield "span_id", "String", texts(entry.span_id for entry in entries)
    yield "user_id", "String", texts(entry.user_id for entry in entries)
    yield "metadata", "JSON", json_column([entry.metadata for entry in entries])
    yield "pattern_id", "UInt64", numbers("Q", [pattern_id(entry.message) for entry in entries])
    yield "_bid", "UInt64", numbers("Q", [row.frame.batch_id for row in rows])
    yield "_idx", "UInt32", numbers("I", [row.index for row in rows])


def numbers(code: str, values: Sequence[int]) -> bytes:
    """Return fixed-width numbers; ``code`` is that of ``struct``."""
    return struct.pack(f"<{len(values)}{code}", *values)


def texts(values: Iterable[str]) -> bytes:
    """Return a String column."""
    return b"".join(string(value.encode()) for value in values)


def dictionary(values: Sequence[str]) -> bytes:
    """Return a LowCardinality(String) column: the distinct texts in order of appearance, and an index for every row."""
    keys = {value: number for number, value in enumerate(dict.fromkeys(values))}
    width = 0 if len(keys) <= 1 << 8 else 1 if len(keys) <= 1 << 16 else 2
    head = struct.pack("<QQQ", 1, 1 << 9 | 1 << 10 | width, len(keys))
    return head + texts(keys) + struct.pack("<Q", len(values)) + numbers("BHI"[width], [keys[value] for value in values])


def pack_trace(text: bytes) -> bytes:
    """Return the stored form of a trace id: 16 bytes for 32 lower-case hex digits, any other text as it is.

    A text that would look like packed bytes, or like a text marked so, gets one NUL at its end.
    """
    if len(text) == 2 * PACKED_TRACE_BYTES and set(text) <= _HEX:
        return bytes.fromhex(text.decode())
    if len(text) >= PACKED_TRACE_BYTES and not text[PACKED_TRACE_BYTES:].strip(b"\0"):
        return text + b"\0"
    return text
