"""Turns files into records for the JSON door: plain text, JSON, NDJSON and CSV, read with bounded memory.

A record is one JSON object on one line. What the server would refuse is sent all the same, so that there is one place that says
why; only what cannot become a line at all (too long) is refused here.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

FORMATS = ("text", "json", "ndjson", "csv")
RECORD_BYTES_MAX = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_APP_KEYS = frozenset(("app_id", "app", "service", "service.name"))
_LEVEL_KEYS = frozenset(("level", "severity", "lvl", "log.level"))
_MESSAGE_KEYS = ("message", "msg", "body", "log", "text", "short_message", "content")
_ENTRY_KEYS = _APP_KEYS.union(
    ("timestamp", "time", "ts", "@timestamp", "source", "host", "hostname", "logger"),
    ("environment", "env", "trace_id", "span_id", "user_id"),
)
_LEVELS = {
    **dict.fromkeys(("trace", "verbose", "v"), "TRACE"),
    **dict.fromkeys(("debug", "d"), "DEBUG"),
    **dict.fromkeys(("info", "information", "notice", "i"), "INFO"),
    **dict.fromkeys(("warn", "warning", "w"), "WARN"),
    **dict.fromkeys(("error", "err", "e"), "ERROR"),
    **dict.fromkeys(("fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "f"), "FATAL"),
}


class Unreadable(Exception):
    """The file is not in the form it should be in."""


@dataclass(frozen=True)
class RecordOptions:
    """How to read a file. ``app_id`` and ``level`` are for records that name none. The columns are those of a CSV header."""

    form: str | None = None
    app_id: str | None = None
    level: str | None = None
    message_column: str | None = None
    timestamp_column: str | None = None


@dataclass(frozen=True)
class Record:
    """One JSON object without newlines, and the line of the file where it ends; or the reason why there is none."""

    data: bytes
    line: int
    refused: str = ""


def read_records(stream: BinaryIO, name: str, options: RecordOptions) -> Iterator[Record]:
    """Yield the records of a file. Raises Unreadable."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, _CHUNK_BYTES)  # type: ignore[type-var]
    if buffered.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
        buffered.read(len(codecs.BOM_UTF8))  # a mark of the file, and no part of its first line
    form = options.form or _form_by_name(name, options) or _form_by_content(buffered.peek(_CHUNK_BYTES)[:_CHUNK_BYTES])
    if form == "csv":
        return _csv_records(buffered, name, options)
    if form == "json":
        return _json_records(buffered, name, options)
    return _line_records(buffered, options, is_json=form == "ndjson")


def _form_by_name(name: str, options: RecordOptions) -> str | None:
    if options.message_column:
        return "csv"
    return {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}.get(PurePath(name).suffix.lower())


def _form_by_content(head: bytes) -> str:
    """Tell JSON from text by the first bytes: many log lines start with a bracket and are not JSON."""
    first_line = head.lstrip().split(b"\n", 1)[0]
    try:
        if isinstance(parsed := json.loads(first_line), dict):
            return "json" if parsed.keys() == {"logs"} and isinstance(parsed["logs"], list) else "ndjson"
    except ValueError:
        pass
    return "json" if re.match(rb'\s*(\[\s*[{\]]|\{\s*")', head) else "text"


def _defaults(options: RecordOptions, keys: frozenset[str] | set[str]) -> dict[str, str]:
    found = {}
    if options.app_id and not keys & _APP_KEYS:
        found["app_id"] = options.app_id
    if options.level and not keys & _LEVEL_KEYS:
        found["level"] = options.level
    return found


def _complete(text: bytes, options: RecordOptions) -> bytes:
    """Put the defaults in front of an object's own keys, as text: no number is ever rewritten."""
    if not (options.app_id or options.level):
        return text
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    defaults = _defaults(options, set(parsed)) if isinstance(parsed, dict) and parsed else None
    return _dumped(defaults)[:-1] + b"," + text.lstrip()[1:] if defaults else text


def _dumped(value: dict[str, object] | dict[str, str]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _line_records(stream: BinaryIO, options: RecordOptions, is_json: bool) -> Iterator[Record]:
    defaults = _defaults(options, frozenset())
    number = 0
    while line := stream.readline(RECORD_BYTES_MAX + 1):
        number += 1
        if len(line) > RECORD_BYTES_MAX:
            while line and not line.endswith(b"\n"):
                line = stream.readline(_CHUNK_BYTES)
            yield Record(b"", number, f"line is longer than {RECORD_BYTES_MAX} bytes")
            continue
        text = line.rstrip(b"\r\n")
        if not text.strip():
            continue
        if is_json:
            yield Record(_complete(text, options), number)
        else:
            yield Record(_dumped({**defaults, "message": text.decode(errors="replace")}), number)


def _csv_records(stream: BinaryIO, name: str, options: RecordOptions) -> Iterator[Record]:
    csv.field_size_limit(RECORD_BYTES_MAX)
    rows = csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=""))
    header = rows.fieldnames or []
    message = _message_column(list(header), name, options)
    try:
        for row in rows:
            yield Record(_dumped(_entry_of_row(row, message, options)), rows.line_num)
    except csv.Error as error:
        raise Unreadable(f"{name}:{rows.line_num}: {error}") from error


def _message_column(header: list[str], name: str, options: RecordOptions) -> str:
    for column in (options.message_column, options.timestamp_column):
        if column and column not in header:
            raise Unreadable(f"{name} has no column {column!r}; it has {', '.join(header)}")
    if options.message_column:
        return options.message_column
    for column in header:
        if column.lower() in _MESSAGE_KEYS:
            return column
    raise Unreadable(f"{name}: say which column is the message with --message-column; it has {', '.join(header)}")


def _entry_of_row(row: dict[str, str | None], message: str, options: RecordOptions) -> dict[str, object]:
    """Return the entry of a CSV row.

    A level column (any case) counts when its value is a level; a column whose name is, in lower case, a field of the entry
    becomes that field; every other column is metadata, as text.
    """
    entry: dict[str, object] = {"message": row[message] or ""}
    metadata: dict[str, object] = {}
    for column, value in row.items():
        if column == message or value is None:
            continue
        if column == options.timestamp_column:
            entry["timestamp"] = value
        elif column and column.lower() in _LEVEL_KEYS and value.strip().lower() in _LEVELS:
            entry["level"] = _LEVELS[value.strip().lower()]
        elif column in _ENTRY_KEYS:
            if value:
                entry[column] = value
        else:
            metadata[column or "extra_columns"] = value
    if metadata:
        entry["metadata"] = metadata
    return {**_defaults(options, set(entry)), **entry}


def _json_records(stream: BinaryIO, name: str, options: RecordOptions) -> Iterator[Record]:
    """Yield the objects of a JSON file: values one after another, the elements of an array, or those of ``{"logs": […]}``."""
    window = _Window(stream, name)
    while window.skip(""):
        if not window.skip_opening():
            yield Record(_complete(window.value(), options), window.line)
            continue
        while window.skip(",") and not window.closes():
            yield Record(_complete(window.value(), options), window.line)
        window.skip("}")


class _Window:
    """The part of a JSON text that is being read."""

    _OPENING = re.compile(r'\[|\{\s*"logs"\s*:\s*\[')

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._scan = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def _more(self) -> bool:
        if self._ended:
            return False
        kept = self._text[self._at :]
        chunk = self._stream.read(max(_CHUNK_BYTES, len(kept)))
        self._ended = not chunk
        self._text, self._at = kept + self._decode(chunk, self._ended), 0
        return not self._ended

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def skip(self, besides: str) -> bool:
        """Go to the next character that is neither space nor one of ``besides``; False at the end."""
        while True:
            match = re.compile(rf"[\s{re.escape(besides)}]*").match(self._text, self._at)
            self._advance(match.end() if match else self._at)
            if self._at < len(self._text) or not self._more():
                return self._at < len(self._text)

    def skip_opening(self) -> bool:
        """Step into an array of entries, if one starts here."""
        if len(self._text) - self._at < _CHUNK_BYTES:
            self._more()
        match = self._OPENING.match(self._text, self._at)
        if match:
            self._advance(match.end())
        return bool(match)

    def closes(self) -> bool:
        """Step over the end of the array, if it is here."""
        found = self._text[self._at] == "]"
        self._at += found
        return found

    def value(self) -> bytes:
        """Return the value that starts here, on one line. Raises Unreadable."""
        while True:
            try:
                _, end = self._scan(self._text, self._at)
                if end < len(self._text) or not self._more():
                    break
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > RECORD_BYTES_MAX or not self._more():
                    raise Unreadable(f"{self._name}:{self.line}: not readable as JSON: {error}") from error
        raw = self._text[self._at : end]
        self._advance(end)
        return raw.replace("\r", " ").replace("\n", " ").encode(errors="replace")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
