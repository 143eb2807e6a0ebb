"""Complete ``zero.v1.LogBatch`` payloads, read and written in plain Python: what every frame carries.

Written form: fields in the order of their numbers, empty text left out, integers as ``int`` unless only ``uint`` holds
them. The native writer gives the same bytes for the same entries.
"""

from collections.abc import Iterable

from zero.domain.entry import Level, LogEntry, MetadataValue
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.protobuf_wire import (
    BYTES,
    FIXED64,
    VARINT,
    WireError,
    WireField,
    bytes_field,
    double_field,
    fixed64_field,
    from_signed,
    read_fields,
    to_double,
    to_signed,
    varint_field,
)

INT64_MAX = (1 << 63) - 1
TEXT_FIELDS = {
    1: "app_id",
    4: "message",
    5: "source",
    6: "environment",
    7: "trace_id",
    8: "span_id",
    9: "user_id",
}


def write_log_batch(entries: Iterable[LogEntry]) -> bytes:
    """Return the payload of the entries, which must be complete."""
    return b"".join(bytes_field(1, _entry_bytes(entry)) for entry in entries)


def _entry_bytes(entry: LogEntry) -> bytes:
    parts: dict[int, bytes] = {
        number: bytes_field(number, text.encode())
        for number, name in TEXT_FIELDS.items()
        if (text := str(getattr(entry, name)))
    }
    parts[2] = fixed64_field(2, entry.timestamp_ns)
    parts[3] = varint_field(3, entry.level)
    parts[10] = b"".join(
        bytes_field(10, bytes_field(1, key.encode()) + bytes_field(2, _value_bytes(value)))
        for key, value in entry.metadata.items()
    )
    return b"".join(parts[number] for number in sorted(parts))


def _value_bytes(value: MetadataValue) -> bytes:
    if isinstance(value, str):
        return bytes_field(1, value.encode())
    if isinstance(value, bool):
        return varint_field(5, int(value))
    if isinstance(value, float):
        return double_field(4, value)
    return varint_field(3, value) if value > INT64_MAX else varint_field(2, from_signed(value))


def read_log_batch(payload: bytes | memoryview) -> list[LogEntry]:
    """Return the entries of a complete payload. Raises InvalidInput where it is not one."""
    data = bytes(payload)
    try:
        return [
            _read_entry(data, field.start, field.stop) for field in read_fields(data, 0, len(data)) if field.tag == (1, BYTES)
        ]
    except WireError as error:
        raise InvalidInput(f"payload is not a LogBatch at byte {error.position}", position=error.position) from error
    except ValueError as error:
        raise InvalidInput(f"payload is not a LogBatch: {error}") from error


def _read_entry(data: bytes, start: int, stop: int) -> LogEntry:
    texts: dict[str, str] = {}
    metadata: dict[str, MetadataValue] = {}
    timestamp_ns, level = 0, 0
    for field in read_fields(data, start, stop):
        if field.wire == BYTES and field.number in TEXT_FIELDS:
            texts[TEXT_FIELDS[field.number]] = data[field.start : field.stop].decode()
        elif field.tag == (2, FIXED64):
            timestamp_ns = field.value
        elif field.tag == (3, VARINT):
            level = field.value
        elif field.tag == (10, BYTES):
            key, value = read_attribute(data, field)
            if value is not None:
                metadata[key.decode()] = value.decode() if isinstance(value, bytes) else value
    return LogEntry(
        message=texts.get("message", ""),
        timestamp_ns=timestamp_ns,
        level=Level(level),
        app_id=texts.get("app_id", ""),
        source=texts.get("source", ""),
        environment=texts.get("environment", ""),
        trace_id=texts.get("trace_id", ""),
        span_id=texts.get("span_id", ""),
        user_id=texts.get("user_id", ""),
        metadata=metadata,
    )


def read_attribute(data: bytes, field: WireField) -> tuple[bytes, bytes | int | float | bool | None]:
    """Return key and value of an Attribute, texts as raw bytes; None when the value is not set."""
    key: bytes = b""
    value: bytes | int | float | bool | None = None
    for part in read_fields(data, field.start, field.stop):
        if part.tag == (1, BYTES):
            key = data[part.start : part.stop]
        elif part.tag == (2, BYTES):
            value = _read_value(data, part, value)
    return key, value


def _read_value(data: bytes, field: WireField, value: bytes | int | float | bool | None) -> bytes | int | float | bool | None:
    for part in read_fields(data, field.start, field.stop):
        match part.tag:
            case (1, 2):
                value = data[part.start : part.stop]
            case (2, 0):
                value = to_signed(part.value)
            case (3, 0):
                value = part.value
            case (4, 1):
                value = to_double(part.value)
            case (5, 0):
                value = part.value != 0
    return value
