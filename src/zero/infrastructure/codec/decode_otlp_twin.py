"""The OTLP door in plain Python: the oracle of the native decoder.

What of the resource, the scope and the record becomes which field can be read here.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

from zero.application.ports import Decoded
from zero.domain.entry import Level, MetadataValue
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_json_twin import Report, check_body_size
from zero.infrastructure.codec.entry_twin import LIMITS, Draft, Stamp
from zero.infrastructure.codec.protobuf_wire import BYTES, WireError, WireField, read_fields, to_double
from zero.infrastructure.codec.values_twin import float_value, parse_level

APP_ID, ENVIRONMENT = "service.name", ("deployment.environment.name", "deployment.environment")
SOURCE = ("host.name", "service.instance.id")
_NAMES = (APP_ID, *SOURCE, *ENVIRONMENT)
_SEVERITIES_PER_LEVEL = 4
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class AnyValue:
    """A value by the number of its member; ``field`` is where it lies. Kind 0 is none."""

    kind: int = 0
    field: WireField | None = None


def decode_otlp(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode ``ExportLogsServiceRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""
    data = bytes(body)
    check_body_size(data)
    records = OtlpRecords(Stamp(now_ns, source))
    try:
        for field in read_fields(data, 0, len(data)):
            if field.tag == (1, BYTES):
                _resource_logs(records, data, field)
    except WireError as error:
        message = f"body is not a valid ExportLogsServiceRequest at byte {error.position}"
        raise InvalidInput(message, position=error.position) from error
    return records.report.decoded()


def _resource_logs(records: "OtlpRecords", data: bytes, message: WireField) -> None:
    records.begin_resource()
    for field in read_fields(data, message.start, message.stop):
        if field.tag == (1, BYTES):
            records.read_resource(data, field.start, field.stop)
    for field in read_fields(data, message.start, message.stop):
        if field.tag == (2, BYTES):
            _scope_logs(records, data, field)


def _scope_logs(records: "OtlpRecords", data: bytes, message: WireField) -> None:
    records.begin_scope()
    for field in read_fields(data, message.start, message.stop):
        if field.tag == (1, BYTES):
            records.read_scope(data, field.start, field.stop)
    for field in read_fields(data, message.start, message.stop):
        if field.tag == (2, BYTES):
            records.record(data, field.start, field.stop)


class OtlpRecords:
    """Makes entries of records; messages come in the protobuf encoding, whatever the request's own was."""

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._names: dict[str, str] = {}
        self._resource = self._scope = self.draft = Draft(stamp)
        self.report = Report()

    def begin_resource(self) -> None:
        self._names = {}
        self.draft = self._resource = Draft(self._stamp)

    def read_resource(self, data: bytes, start: int, stop: int) -> None:
        for field in read_fields(data, start, stop):
            if field.tag == (1, BYTES):
                key, value = _Reader(data, self.draft).pair(field)
                if key in _NAMES and value.kind == 1:
                    self._names[key] = _Reader(data, self.draft).text(value.field)
                else:
                    _Reader(data, self.draft).put(key, value, 2)
            elif field.tag == (2, 0):
                self._count("resource.dropped_attributes_count", field.value)

    def begin_scope(self) -> None:
        self.draft = self._scope = self._resource.copy()
        self.draft.texts |= {
            "app_id": self._names.get(APP_ID, ""),
            "source": self._name(*SOURCE),
            "environment": self._name(*ENVIRONMENT),
        }

    def _name(self, better: str, other: str) -> str:
        if self._names.get(better) and self._names.get(other):
            self.draft.put(other, self._names[other])
        return self._names.get(better) or self._names.get(other, "")

    def read_scope(self, data: bytes, start: int, stop: int) -> None:
        reader = _Reader(data, self.draft)
        for field in read_fields(data, start, stop):
            match field.tag:
                case (1, 2) if field.start < field.stop:
                    self.draft.put("scope.name", reader.text(field))
                case (2, 2) if field.start < field.stop:
                    self.draft.put("scope.version", reader.text(field))
                case (3, 2):
                    reader.put(*reader.pair(field), 2)
                case (4, 0):
                    self._count("scope.dropped_attributes_count", field.value)

    def record(self, data: bytes, start: int, stop: int, repaired: bool = False) -> None:
        self.reserve()
        self.draft = self._scope.copy()
        self.draft.repaired |= repaired
        reader = _Reader(data, self.draft)
        found: dict[tuple[int, int], WireField] = {}
        body = AnyValue()
        for field in read_fields(data, start, stop):
            if field.tag == (6, BYTES):
                reader.put(*reader.pair(field), 2)
            elif field.tag == (5, BYTES):
                body = reader.value(field, body)
            else:
                found[field.tag] = field
        self._message(reader, body, reader.text(found.get((12, BYTES))))
        self._level(found[2, 0].value if (2, 0) in found else 0, reader.text(found.get((3, BYTES))))
        for key, tag in (("flags", (8, 5)), ("dropped_attributes_count", (7, 0))):
            self._count(key, found[tag].value if tag in found else 0)
        self._identifier("trace_id", reader.raw(found.get((9, BYTES))), LIMITS.trace_id_bytes)
        self._identifier("span_id", reader.raw(found.get((10, BYTES))), LIMITS.span_id_bytes)
        times = [found[tag].value for tag in ((1, 1), (11, 1)) if tag in found and found[tag].value]
        if times:
            self.draft.set_timestamp(times[0], str(times[0]))
        self.report.add(self.draft)

    def reserve(self) -> None:
        """Make sure that another record may come. Raises TooLarge."""
        self.report.reserve()

    def _message(self, reader: "_Reader", body: AnyValue, event: str) -> None:
        message = "" if body.kind == 0 else reader.value_text(body, 2)
        if body.kind not in (0, 1) and len(message.encode()) > LIMITS.message_bytes:
            self.draft.reject(f"message: text longer than {LIMITS.message_bytes} bytes")
            message = ""
        if event and message:
            self.draft.put("event_name", event)
        self.draft.texts["message"] = message or event

    def _level(self, number: int, text: str) -> None:
        named = parse_level(text)
        known = 1 <= number <= len(Level) * _SEVERITIES_PER_LEVEL
        self.draft.level = level = Level((number - 1) // _SEVERITIES_PER_LEVEL + 1) if known else named
        if text and (named is None or named != level):
            self.draft.put("severity_text", text)
        if number and not (known and (number - 1) % _SEVERITIES_PER_LEVEL == 0):
            self.draft.put("severity_number", _signed(number))

    def _identifier(self, name: str, raw: bytes, limit: int) -> None:
        if len(raw) * 2 > limit and raw.strip(b"\0"):
            self.draft.reject(f"{name}: {2 * len(raw)} bytes, limit {limit}")
        elif raw.strip(b"\0"):
            self.draft.texts[name] = raw.hex()

    def _count(self, key: str, value: int) -> None:
        if value:
            self.draft.put(key, value)


class _Reader:
    """Reads values of one message into a draft."""

    def __init__(self, data: bytes, draft: Draft) -> None:
        self._data = data
        self._draft = draft

    def raw(self, field: WireField | None) -> bytes:
        return self._data[field.start : field.stop] if field else b""

    def text(self, field: WireField | None) -> str:
        raw = self.raw(field)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self._draft.repaired = True
            return raw.decode(errors="replace")

    def pair(self, message: WireField) -> tuple[str, AnyValue]:
        key, value = None, AnyValue()
        for field in read_fields(self._data, message.start, message.stop):
            if field.tag == (1, BYTES):
                key = field
            elif field.tag == (2, BYTES):
                value = self.value(field, value)
        return self.text(key), value

    def value(self, message: WireField, value: AnyValue) -> AnyValue:
        for field in read_fields(self._data, message.start, message.stop):
            if field.tag in ((1, 2), (2, 0), (3, 0), (4, 1), (5, 2), (6, 2), (7, 2)):
                value = AnyValue(field.number, field)
        return value

    def put(self, path: str, value: AnyValue, depth: int) -> None:
        """Put the value; ``depth`` is its own, should it be a container."""
        if value.kind == 6:
            for key, inner in self._pairs(value, depth):
                self.put(f"{path}.{key}", inner, depth + 1)
        elif value.kind in (5, 7) and len(path.encode()) <= LIMITS.metadata_key_bytes:
            text = self.value_text(value, depth)
            if len(text.encode()) > LIMITS.metadata_value_bytes:
                self._draft.reject(f"metadata.{path}: text longer than {LIMITS.metadata_value_bytes} bytes")
            else:
                self._draft.put(path, text)
        elif value.kind in (5, 7):
            self._draft.put(path, "")
        elif value.kind:
            self._draft.put(path, self._scalar(value))

    def value_text(self, value: AnyValue, depth: int) -> str:
        """Return a value that is not none as the text that a message or a metadata value is."""
        scalar = self._scalar(value) if value.kind <= 4 else ""
        if isinstance(scalar, float):
            return repr(scalar)
        if value.kind == 1 and isinstance(scalar, str):
            return scalar
        return self._base64(value) if value.kind == 7 else self._json(value, depth) if value.kind != 4 else str(scalar)

    def _scalar(self, value: AnyValue) -> MetadataValue:
        field = value.field or WireField(0, 0, 0, 0, 0)
        match value.kind:
            case 1:
                return self.text(field)
            case 2:
                return field.value != 0
            case 3:
                return _signed(field.value)
            case _:
                return float_value(to_double(field.value))

    def _base64(self, value: AnyValue) -> str:
        return base64.b64encode(self.raw(value.field)).decode()

    def _json(self, value: AnyValue, depth: int) -> str:
        match value.kind:
            case 0:
                return "null"
            case 5:
                return "[" + ",".join(self._json(inner, depth + 1) for _, inner in self._pairs(value, depth)) + "]"
            case 6:
                pairs = self._pairs(value, depth)
                return "{" + ",".join(f"{_quoted(key)}:{self._json(inner, depth + 1)}" for key, inner in pairs) + "}"
            case 7:
                return _quoted(self._base64(value))
        scalar = self._scalar(value)
        return _quoted(scalar) if isinstance(scalar, str) else json.dumps(scalar)

    def _pairs(self, value: AnyValue, depth: int) -> Iterator[tuple[str, AnyValue]]:
        """Yield the members of a list, or the elements of an array with an empty key."""
        if depth > LIMITS.nesting_depth:
            self._draft.reject(f"nesting deeper than {LIMITS.nesting_depth}")
        elif value.field is not None:
            for field in read_fields(self._data, value.field.start, value.field.stop):
                if field.tag == (1, BYTES):
                    yield self.pair(field) if value.kind == 6 else ("", self.value(field, AnyValue()))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _signed(number: int) -> int:
    return number - (number >= _INT64) * 2 * _INT64
