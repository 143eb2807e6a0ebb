"""The log entry: its fields, limits and identity (see docs/api.md)."""

from dataclasses import dataclass, field
from enum import IntEnum
from string import hexdigits

MetadataValue = str | int | float | bool


class Level(IntEnum):
    """Severity; the numbers are those of ``zero.v1.Level`` and of the store's Enum8."""

    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARN = 4
    ERROR = 5
    FATAL = 6


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """Bounds of one entry, in bytes of UTF-8 unless the name says otherwise."""

    app_id_bytes: int = 128
    message_bytes: int = 256 * 1024
    source_bytes: int = 255
    environment_bytes: int = 64
    trace_id_bytes: int = 64
    span_id_bytes: int = 32
    user_id_bytes: int = 128
    metadata_keys: int = 128
    metadata_key_bytes: int = 128
    metadata_value_bytes: int = 16 * 1024
    nesting_depth: int = 64
    past_days: int = 30
    future_days: int = 1


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one request, after decompression.

    ``payload_bytes`` bounds its ``LogBatch``, in which every entry repeats what a request may say once for all (the resource of
    OTLP, the labels of a Loki stream).
    """

    body_bytes: int = 16 * 1024 * 1024
    entries: int = 20_000
    payload_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log as everything behind the doors sees it. ``timestamp_ns`` is Unix epoch UTC."""

    message: str
    timestamp_ns: int
    level: Level = Level.INFO
    app_id: str = "default"
    source: str = ""
    environment: str = "prod"
    trace_id: str = ""
    span_id: str = ""
    user_id: str = ""
    metadata: dict[str, MetadataValue] = field(default_factory=dict)


def entry_id(batch_id: int, index: int) -> str:
    """Return the public identity of an entry: 16 hex digits of the batch, 8 of its index."""
    return f"{batch_id:016x}{index:08x}"


def parse_entry_id(text: str) -> tuple[int, int]:
    """Return (batch id, index) of an entry id. Raises ValueError unless it is 24 hex digits."""
    if len(text) != 24 or not set(text) <= set(hexdigits):
        raise ValueError("an entry id has 24 hex digits")
    return int(text[:16], 16), int(text[16:], 16)
