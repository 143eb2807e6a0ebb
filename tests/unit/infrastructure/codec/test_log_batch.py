"""The plain reader and writer of LogBatch payloads."""

import pytest

from zero.domain.entry import Level, LogEntry
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.log_batch import read_log_batch, write_log_batch

ENTRY = LogEntry(
    message="No Route to Host ☃",
    timestamp_ns=1_795_341_600_123_456_789,
    level=Level.ERROR,
    app_id="hadoop",
    source="10.0.0.1",
    environment="staging",
    trace_id="ab" * 16,
    span_id="cd" * 8,
    user_id="u1",
    metadata={"a.b": "x", "int": -5, "big": 2**64 - 1, "float": -0.5, "yes": True, "no": False, "empty": "", "zero": 0},
)


def test_what_is_written_is_read_back() -> None:
    entries = [ENTRY, LogEntry(message="x", timestamp_ns=1)]
    assert read_log_batch(write_log_batch(entries)) == entries


def test_types_of_metadata_values_survive() -> None:
    values = read_log_batch(write_log_batch([ENTRY]))[0].metadata.values()
    assert [type(value) for value in values] == [str, int, int, float, bool, bool, str, int]


def test_concatenated_payloads_are_one_batch() -> None:
    one = write_log_batch([ENTRY])
    assert read_log_batch(one + one) == [ENTRY, ENTRY]


def test_a_cut_payload_is_refused_with_its_position() -> None:
    with pytest.raises(InvalidInput, match="at byte 0") as caught:
        read_log_batch(write_log_batch([ENTRY])[:-1])
    assert caught.value.position == 0
