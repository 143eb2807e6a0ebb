"""The Loki door in plain Python: the oracle of the native decoders.

Which label means which field can be read here. Structured metadata counts before the labels of the stream.
"""

import re

from zero.application.ports import Decoded
from zero.domain.entry import MetadataValue
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_json_twin import Report, check_body_size
from zero.infrastructure.codec.entry_twin import Draft, Stamp
from zero.infrastructure.codec.json_form_twin import WrongForm, elements, members, read_form, string
from zero.infrastructure.codec.json_tree_twin import Node
from zero.infrastructure.codec.protobuf_wire import BYTES, WireError, WireField, read_fields
from zero.infrastructure.codec.text_twin import Repaired
from zero.infrastructure.codec.values_twin import number_value, parse_level, parse_timestamp

NAMES = {
    "app_id": ("app_id", "app", "service_name", "service", "job"),
    "source": ("host", "hostname", "instance", "source"),
    "environment": ("environment", "env"),
    "trace_id": ("trace_id", "traceID", "traceId"),
    "span_id": ("span_id", "spanID", "spanId"),
    "user_id": ("user_id",),
}
LEVELS = ("level", "detected_level", "severity")
KNOWN = {name for names in NAMES.values() for name in names} | set(LEVELS)
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")
_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\'\"]))")
_SHORT = dict(zip(b"abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\"", strict=True))
_SECONDS_END = 10**10
_INT64 = 1 << 63

Labels = list[tuple[str, str, MetadataValue]]
"""Name, text and value."""


class LabelError(ValueError):
    """The text is no label set; ``offset`` is what cannot be read."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"not a label set at byte {offset}")
        self.offset = offset


def parse_labels(text: bytes) -> list[tuple[str, bytes]]:
    """Return the labels of ``{name="value"}``; values may hold bytes that are not UTF-8. Raises LabelError."""
    data = text.decode("latin-1")
    labels: list[tuple[str, bytes]] = []
    at = _expect(data, _blanks(data, 0), "{")
    at = _blanks(data, at)
    while data[at : at + 1] != "}":
        if labels:
            at = _blanks(data, _expect(data, at, ","))
            if data[at : at + 1] == "}":
                break
        name = _LABEL_NAME.match(data, at)
        if not name:
            raise LabelError(at)
        at = _expect(data, _blanks(data, name.end()), "=")
        value, at = _quoted(text, _blanks(data, at))
        labels.append((name[0], value))
        at = _blanks(data, at)
    at = _blanks(data, at + 1)
    if at != len(data):
        raise LabelError(at)
    return labels


def _blanks(data: str, at: int) -> int:
    match = _BLANKS.match(data, at)
    return match.end() if match else at


def _expect(data: str, at: int, character: str) -> int:
    if data[at : at + 1] != character:
        raise LabelError(at)
    return at + 1


def _quoted(text: bytes, at: int) -> tuple[bytes, int]:
    quote = text[at : at + 1]
    if quote not in (b'"', b"'", b"`"):
        raise LabelError(at)
    end = at + 1
    while text[end : end + 1] != quote:
        if end >= len(text):
            raise LabelError(len(text))
        end += 2 if text[end : end + 1] == b"\\" and quote != b"`" else 1
    return (text[at + 1 : end] if quote == b"`" else _unescape(text, at + 1, end)), end + 1


def _unescape(text: bytes, at: int, end: int) -> bytes:
    out = b""
    while at < end:
        if text[at : at + 1] != b"\\":
            out += text[at : at + 1]
            at += 1
            continue
        match = _ESCAPE.match(text, at, end)
        if not match:
            raise LabelError(at)
        byte, short, long, octal, letter = match.groups()
        character = int(short or long or b"0", 16)
        if 0xD800 <= character <= 0xDFFF or character > 0x10FFFF or int(octal or b"0", 8) > 0xFF:
            raise LabelError(at)
        if letter:
            out += bytes((_SHORT[letter[0]],))
        else:
            out += bytes((int(byte, 16) if byte else int(octal, 8),)) if byte or octal else chr(character).encode()
        at = match.end()
    return out


class LokiEntries:
    """Makes entries of lines."""

    def __init__(self, stamp: Stamp) -> None:
        self.stamp = stamp
        self.report = Report()
        self.stream = Draft(stamp)
        self._fields: dict[str, tuple[str, MetadataValue]] = {}

    def begin_stream(self) -> None:
        self.stream, self._fields = Draft(self.stamp), {}

    def labels(self, labels: Labels) -> None:
        """Take labels of the stream."""
        _take(self.stream, self._fields, labels)

    def entry(self, line: str, metadata: Labels, time: tuple[int | None, str], repaired: bool) -> None:
        """Take an entry; ``time`` is its nanoseconds and what is kept of a timestamp that is none or wild."""
        draft, fields = self.stream.copy(), dict(self._fields)
        draft.repaired |= repaired
        _take(draft, fields, metadata)
        for field, names in NAMES.items():
            for name in names:
                if name in fields and draft.texts.get(field):
                    draft.put(name, fields[name][1])
                elif name in fields:
                    draft.texts[field] = fields[name][0]
        for name in LEVELS:
            level = parse_level(fields[name][0]) if name in fields and draft.level is None else None
            if name in fields and level is None:
                draft.put(name, fields[name][1])
            draft.level = draft.level or level
        draft.texts["message"] = line
        if time != (None, ""):
            draft.set_timestamp(*time)
        self.report.add(draft)


def _take(draft: Draft, fields: dict[str, tuple[str, MetadataValue]], labels: Labels) -> None:
    for name, text, value in labels:
        if text and name in KNOWN:
            fields[name] = text, value
        elif text:
            draft.put(name, value)


def decode_loki(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode Loki's ``PushRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""
    data = bytes(body)
    check_body_size(data)
    entries = LokiEntries(Stamp(now_ns, source))
    try:
        for field in read_fields(data, 0, len(data)):
            if field.tag == (1, BYTES):
                _WireStream(data, entries).read(field)
    except WireError as error:
        message = f"body is not a valid PushRequest at byte {error.position}"
        raise InvalidInput(message, position=error.position) from error
    return entries.report.decoded()


class _WireStream:
    """Reads one stream in protobuf."""

    def __init__(self, data: bytes, entries: LokiEntries) -> None:
        self._data = data
        self._entries = entries
        self._repaired = False

    def read(self, stream: WireField) -> None:
        labels = b""
        for field in read_fields(self._data, stream.start, stream.stop):
            if field.tag == (1, BYTES):
                labels = self._data[field.start : field.stop]
        self._entries.begin_stream()
        self._labels(labels)
        for field in read_fields(self._data, stream.start, stream.stop):
            if field.tag == (2, BYTES):
                self._entries.report.reserve()
                self._entry(field)

    def _labels(self, text: bytes) -> None:
        draft = self._entries.stream
        try:
            found = [(name, self._text(value)) for name, value in parse_labels(text)]
            self._entries.labels([(name, value, value) for name, value in found])
            draft.repaired = self._repaired
        except LabelError as error:
            draft.reject(f"labels: {error}")

    def _entry(self, entry: WireField) -> None:
        self._repaired = False
        line, metadata, seconds, nanoseconds = b"", [], 0, 0
        for field in read_fields(self._data, entry.start, entry.stop):
            if field.tag == (1, BYTES):
                for part in read_fields(self._data, field.start, field.stop):
                    seconds = part.value if part.tag == (1, 0) else seconds
                    nanoseconds = part.value if part.tag == (2, 0) else nanoseconds
            elif field.tag == (2, BYTES):
                line = self._data[field.start : field.stop]
            elif field.tag == (3, BYTES):
                metadata.append(self._pair(field))
        time_ns: int | None = seconds * 10**9 + nanoseconds
        original = str(time_ns) if time_ns else ""
        if seconds >= _SECONDS_END or nanoseconds >= 10**9:
            time_ns, original = None, f"{_signed(seconds)}.{_signed(nanoseconds)}"
        self._entries.entry(self._text(line), metadata, (time_ns or None, original), self._repaired)

    def _pair(self, pair: WireField) -> tuple[str, str, MetadataValue]:
        name, value = b"", b""
        for field in read_fields(self._data, pair.start, pair.stop):
            if field.tag == (1, BYTES):
                name = self._data[field.start : field.stop]
            elif field.tag == (2, BYTES):
                value = self._data[field.start : field.stop]
        text = self._text(value)
        return self._text(name), text, text

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self._repaired = True
            return raw.decode(errors="replace")


def _signed(number: int) -> int:
    return number - (number >= _INT64) * 2 * _INT64


def decode_loki_json(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode Loki's push in JSON. Raises InvalidInput when the whole body is unreadable."""
    entries = LokiEntries(Stamp(now_ns, source))
    read_form(bytes(body), "a Loki push", lambda fixed, root: _json_push(entries, fixed, root))
    return entries.report.decoded()


def _json_push(entries: LokiEntries, fixed: Repaired, root: Node) -> None:
    for key, value in members(root):
        if key == "streams":
            for stream in elements(value):
                _json_stream(entries, fixed, stream)


def _json_stream(entries: LokiEntries, fixed: Repaired, stream: Node) -> None:
    entries.begin_stream()
    for key, value in members(stream):
        if key == "stream":
            entries.labels(_json_pairs(value))
            entries.stream.repaired |= _is_repaired(fixed, value)
    for key, value in members(stream):
        if key == "values":
            for node in elements(value):
                entries.report.reserve()
                _json_entry(entries, fixed, node)


def _json_entry(entries: LokiEntries, fixed: Repaired, node: Node) -> None:
    parts = elements(node)
    if parts and parts[0].kind not in ("string", "number"):
        raise WrongForm(parts[0])
    line = string(parts[1]) if len(parts) > 1 else ""
    metadata = _json_pairs(parts[2]) if len(parts) > 2 else []
    if len(parts) > 3:
        raise WrongForm(parts[3])
    if len(parts) < 2:
        raise WrongForm(node)
    time = parts[0].text
    entries.entry(line, metadata, (parse_timestamp(time), time), _is_repaired(fixed, node))


def _json_pairs(node: Node) -> Labels:
    return [(key, value.text, _scalar(value)) for key, value in members(node)]


def _scalar(node: Node) -> MetadataValue:
    match node.kind:
        case "string":
            return node.text
        case "number":
            return number_value(node.text)
        case "boolean":
            return node.text == "true"
    raise WrongForm(node)


def _is_repaired(fixed: Repaired, node: Node) -> bool:
    return node.lone or fixed.touches(node.start, node.stop)
