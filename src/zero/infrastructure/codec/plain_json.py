"""The JSON door as one would write it in Python today: the standard library's parser, and the twin for whatever is not plain.

Plain is a line with our own field names as texts, and metadata without nesting. What it gives is what the twin gives.
"""

import json
from typing import Any

from zero.application.ports import Decoded
from zero.infrastructure.codec import decode_json_twin as twin
from zero.infrastructure.codec.entry_twin import Draft, Stamp
from zero.infrastructure.codec.values_twin import number_value, parse_level, parse_timestamp

_TEXTS = ("app_id", "message", "source", "environment", "trace_id", "span_id", "user_id")
_NAMES = frozenset((*_TEXTS, "timestamp", "level", "metadata"))
_SCALARS = (str, int, float, bool)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_READER = json.JSONDecoder(parse_float=number_value, parse_int=number_value, parse_constant=_no_constant)


def decode_json(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode what the twin decodes, most of it faster. Raises InvalidInput when the whole body is unreadable."""
    data = bytes(body)
    stamp = Stamp(now_ns, source)
    if b"\n" not in data.rstrip(b"\n"):
        draft = read_plain(data, stamp)
        lines = [] if draft is None else [data]
    else:
        lines = data.split(b"\n") if data.startswith(b"{") and twin.is_lines(data) else []
    if not lines:
        return twin.decode_json(data, now_ns, source)
    twin.check_body_size(data)
    report = twin.Report()
    for line in lines:
        if not line.strip():
            continue
        report.reserve()
        draft = read_plain(line, stamp)
        if draft is None:
            twin.read_line(line, stamp, report)
        else:
            report.add(draft)
    return report.decoded()


def read_plain(line: bytes, stamp: Stamp) -> Draft | None:
    """Return what a line says, or None when it is not plain."""
    if b"\\u" in line or line.count(b'"metadata"') > 1:  # a surrogate, a name in disguise; two objects that are one
        return None
    try:
        entry = _READER.decode(line.decode())
    except (ValueError, RecursionError):
        return None
    if type(entry) is not dict or not entry.keys() <= _NAMES:
        return None
    metadata = entry.pop("metadata", {})
    if type(metadata) is not dict or not all(value is None or type(value) in _SCALARS for value in metadata.values()):
        return None
    return _draft(entry, metadata, stamp) if all(type(value) is str for value in entry.values()) else None


def _draft(entry: dict[str, str], metadata: dict[str, Any], stamp: Stamp) -> Draft | None:
    draft = Draft(stamp)
    for key, value in metadata.items():
        if value is not None:
            draft.put(key, value)
    if word := entry.pop("level", ""):
        draft.level = parse_level(word)
        if draft.level is None:
            return None
    if when := entry.pop("timestamp", ""):
        draft.set_timestamp(parse_timestamp(when), when)
    draft.texts = entry
    return draft
