"""The LogBatch door in plain Python: the oracle of the native decoder."""

from zero.application.ports import Decoded
from zero.domain.entry import Level
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_json_twin import Report, check_body_size
from zero.infrastructure.codec.entry_twin import Draft, Stamp
from zero.infrastructure.codec.log_batch import TEXT_FIELDS
from zero.infrastructure.codec.protobuf_wire import (
    BYTES,
    FIXED64,
    VARINT,
    WireError,
    WireField,
    read_fields,
    to_double,
    to_signed,
)
from zero.infrastructure.codec.values_twin import float_value

Value = str | int | float | bool


def decode_log_batch(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode ``zero.v1.LogBatch``. Raises InvalidInput when the whole body is unreadable."""
    data = bytes(body)
    check_body_size(data)
    if not data:
        raise InvalidInput("body is empty")
    report = Report()
    try:
        for field in read_fields(data, 0, len(data)):
            if field.tag == (1, BYTES):
                report.reserve()
                report.add(_EntryReader(data, Stamp(now_ns, source)).read(field))
    except WireError as error:
        message = f"body is not a valid LogBatch at byte {error.position}"
        raise InvalidInput(message, position=error.position) from error
    return report.decoded()


class _EntryReader:
    """Reads one entry into a draft."""

    def __init__(self, data: bytes, stamp: Stamp) -> None:
        self._data = data
        self._draft = Draft(stamp)

    def read(self, entry: WireField) -> Draft:
        draft = self._draft
        timestamp_ns, level = 0, 0
        for field in read_fields(self._data, entry.start, entry.stop):
            if field.wire == BYTES and field.number in TEXT_FIELDS:
                draft.texts[TEXT_FIELDS[field.number]] = self._text(field)
            elif field.tag == (2, FIXED64):
                timestamp_ns = field.value
            elif field.tag == (3, VARINT):
                level = field.value
            elif field.tag == (10, BYTES):
                self._attribute(field)
        if level > Level.FATAL:
            draft.put("original_level", level - (level >> 63 << 64))
        elif level:
            draft.level = Level(level)
        if timestamp_ns:
            draft.set_timestamp(timestamp_ns, str(timestamp_ns))
        return draft

    def _attribute(self, attribute: WireField) -> None:
        key, value = "", None
        for field in read_fields(self._data, attribute.start, attribute.stop):
            if field.tag == (1, BYTES):
                key = self._text(field)
            elif field.tag == (2, BYTES):
                value = self._value(field, value)
        if value is not None:
            self._draft.put(key, value)

    def _value(self, message: WireField, value: Value | None) -> Value | None:
        for field in read_fields(self._data, message.start, message.stop):
            match field.tag:
                case (1, 2):
                    value = self._text(field)
                case (2, 0):
                    value = to_signed(field.value)
                case (3, 0):
                    value = field.value
                case (4, 1):
                    value = float_value(to_double(field.value))
                case (5, 0):
                    value = field.value != 0
        return value

    def _text(self, field: WireField) -> str:
        raw = self._data[field.start : field.stop]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self._draft.repaired = True
            return raw.decode(errors="replace")
