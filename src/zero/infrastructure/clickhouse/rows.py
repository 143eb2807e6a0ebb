"""Rows of the store as text, back to entries with exact types."""

import json
from collections.abc import Iterator
from typing import Any

from zero.domain.entry import Level, LogEntry, MetadataValue
from zero.domain.stored import StoredEntry

# What ``read_entries`` expects, in this order.
ENTRY_COLUMNS = (
    "_bid, _idx, toUnixTimestamp64Nano(timestamp), toInt8(level), app_id, message, source, environment, trace_id, span_id, "
    "user_id, pattern_id, metadata, JSONAllPathsWithTypes(metadata)"
)

_Pairs = tuple[tuple[str, Any], ...]


def read_json_rows(data: bytes) -> Iterator[list[Any]]:
    """Yield the rows of JSONCompactEachRow; an object comes as its pairs, for one may hold both ``a`` and ``a.b``."""
    for line in data.splitlines():
        yield json.loads(line, object_pairs_hook=tuple, parse_int=_number)


def _number(text: str) -> int | float:
    """Keep the sign of a Float64 zero, which the store writes as ``-0``."""
    return -0.0 if text == "-0" else int(text)


def read_entries(data: bytes) -> list[StoredEntry]:
    """Return the entries in rows of ENTRY_COLUMNS."""
    return [_entry(row) for row in read_json_rows(data)]


def _entry(row: list[Any]) -> StoredEntry:
    batch_id, index, timestamp_ns, level, *texts, pattern_id, pairs, types = row
    app_id, message, source, environment, trace_id, span_id, user_id = texts
    metadata = _metadata(pairs, dict(types))
    entry = LogEntry(
        message, int(timestamp_ns), Level(level), app_id, source, environment, trace_id, span_id, user_id, metadata
    )
    return StoredEntry(int(batch_id), int(index), entry, int(pattern_id))


def _metadata(pairs: _Pairs, types: dict[str, str]) -> dict[str, MetadataValue]:
    return {path: _exact(value, types.get(path, "")) for path, value in _flatten(pairs, "")}


def _flatten(pairs: _Pairs, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in pairs:
        if isinstance(value, tuple):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _exact(value: Any, type_name: str) -> MetadataValue:
    """Give back the stored type: the store writes the Float64 2.0 as ``2``, and may quote large integers."""
    if type_name == "Float64":
        return float(value)
    if type_name in ("Int64", "UInt64"):
        return int(value)
    return value if isinstance(value, str | int | float) else json.dumps(value)
