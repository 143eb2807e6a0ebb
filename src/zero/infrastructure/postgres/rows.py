"""Rows of the store, back to entries with exact types."""

from collections.abc import Sequence
from typing import Any

from zero.domain.entry import Level, LogEntry
from zero.domain.stored import StoredEntry
from zero.infrastructure.postgres.values import from_json, from_text, unsigned

Row = tuple[Any, ...]
# What ``read_entries`` expects, in this order.
ENTRY_COLUMNS = (
    "bid, idx, timestamp_ns, level, app_id, message, source, environment, trace_id, span_id, user_id, pattern_id, "
    "metadata::text"
)


def read_entries(rows: Sequence[Row]) -> list[StoredEntry]:
    """Return the entries in rows of ENTRY_COLUMNS."""
    return [_entry(row) for row in rows]


def _entry(row: Row) -> StoredEntry:
    batch_id, index, timestamp_ns, level, *texts, pattern_id, metadata = row
    app_id, message, source, environment, trace_id, span_id, user_id = map(from_text, texts)
    entry = LogEntry(
        message,
        timestamp_ns,
        Level(level),
        app_id,
        source,
        environment,
        trace_id,
        span_id,
        user_id,
        from_json(metadata) if metadata != "{}" else {},
    )
    return StoredEntry(unsigned(batch_id), index, entry, unsigned(pattern_id))
