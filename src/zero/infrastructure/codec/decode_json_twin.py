"""The JSON door in plain Python: the oracle of the native decoder.

Which key means which field, and what becomes metadata, can be read here. Of several names of a field the first in the
table wins and the others become metadata; an empty text counts as absent; of equal keys the last wins.
"""

from collections.abc import Iterator

from zero.application.ports import Decoded
from zero.domain.entry import BatchLimits, LogEntry, MetadataValue
from zero.domain.errors import InvalidInput, TooLarge
from zero.infrastructure.codec.entry_twin import LIMITS, Draft, Rejected, Stamp
from zero.infrastructure.codec.json_tree_twin import JsonError, Node, parse_json, raw_text
from zero.infrastructure.codec.log_batch import write_log_batch
from zero.infrastructure.codec.text_twin import Repaired, repair
from zero.infrastructure.codec.values_twin import number_value, parse_level, parse_timestamp

BATCH_LIMITS = BatchLimits()
ERRORS_MAX = 100
SHOWN_BYTES_MAX = 32
NAMES = {
    "message": ("message", "msg", "body", "log", "text", "short_message"),
    "app_id": ("app_id", "app", "service", "service.name"),
    "timestamp": ("timestamp", "time", "ts", "@timestamp"),
    "level": ("level", "severity", "lvl", "log.level"),
    "source": ("source", "host", "hostname", "logger"),
    "environment": ("environment", "env"),
    "trace_id": ("trace_id",),
    "span_id": ("span_id",),
    "user_id": ("user_id",),
}
KNOWN = {name for names in NAMES.values() for name in names}
LEFT_OVER_ORDER = ("message", "timestamp", "level", "app_id", "source", "environment")
METADATA_NAMES = ("metadata", "attributes", "fields", "extra")
_BLANKS = b" \t\r\n"


class Report:
    """Gathers what becomes of the entries of one body."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.payload = b""
        self.errors: list[tuple[int, str]] = []
        self.repaired = 0

    def reserve(self) -> None:
        """Make sure that another entry may come. Raises TooLarge."""
        if len(self.entries) + len(self.errors) == BATCH_LIMITS.entries:
            raise TooLarge(f"body has more than {BATCH_LIMITS.entries} entries")

    def add(self, draft: Draft) -> None:
        """Take an entry or the reason of its rejection."""
        try:
            entry = draft.finish()
        except Rejected as error:
            return self.reject(str(error))
        self.entries.append(entry)
        self.payload += write_log_batch([entry])
        self.repaired += draft.repaired
        if len(self.payload) > BATCH_LIMITS.payload_bytes:
            raise payload_too_large()
        return None

    def reject(self, reason: str) -> None:
        """Take a rejection."""
        self.errors.append((len(self.entries) + len(self.errors), reason))

    def decoded(self) -> Decoded:
        """Return the result."""
        return Decoded(self.payload, len(self.entries), len(self.errors), self.errors[:ERRORS_MAX], self.repaired)


def payload_too_large() -> TooLarge:
    """Return the refusal of a body that says once what makes too much of it when every entry says it."""
    limit = BATCH_LIMITS.payload_bytes
    return TooLarge(f"entries: more than {limit} bytes, each with all that they share; send fewer in one request")


def check_body_size(body: bytes) -> None:
    """Raise TooLarge when the body is."""
    if len(body) > BATCH_LIMITS.body_bytes:
        raise TooLarge(f"body: {len(body)} bytes, limit {BATCH_LIMITS.body_bytes}")


def decode_json(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode an object, an array, an object whose only key is ``logs`` with an array, or NDJSON. Raises InvalidInput."""
    data = bytes(body)
    check_body_size(data)
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip(_BLANKS):
        raise InvalidInput("body is empty")
    report = Report()
    if _is_lines(text):
        for line in text.split(b"\n"):
            if line.strip(_BLANKS):
                report.reserve()
                _read_line(line, Stamp(now_ns, source), report)
    else:
        _read_document(text, len(data) - len(text), Stamp(now_ns, source), report)
    return report.decoded()


def _is_lines(text: bytes) -> bool:
    """More than one line with something on it, when the first and the next byte cannot begin one value."""
    first = len(text) - len(text.lstrip(_BLANKS))
    line_end = text.find(b"\n", first)
    rest = text[line_end:].lstrip(_BLANKS)
    if line_end < 0 or not rest:
        return False
    second = len(text) - len(rest)
    try:
        parse_json(text[: second + 1])
    except JsonError as error:
        return error.position <= second
    return False


def _read_line(line: bytes, stamp: Stamp, report: Report) -> None:
    fixed = repair(line)
    try:
        node = parse_json(fixed.data)
    except JsonError as error:
        report.reject(f"line is not valid JSON at byte {fixed.original(error.position)}")
    else:
        _read_entry(fixed, node, stamp, report)


def _read_document(text: bytes, mark_bytes: int, stamp: Stamp, report: Report) -> None:
    fixed = repair(text)
    try:
        root = parse_json(fixed.data)
    except JsonError as error:
        position = mark_bytes + fixed.original(error.position)
        raise InvalidInput(f"body is not valid JSON at byte {position}", position=position) from error
    if root.kind == "object" and [(key, node.kind) for key, node in root.members] == [("logs", "array")]:
        root = root.members[0][1]
    if root.kind == "object":
        _read_entry(fixed, root, stamp, report)
    elif root.kind == "array":
        for _, node in root.members:
            report.reserve()
            _read_entry(fixed, node, stamp, report)
    else:
        raise InvalidInput("body is neither an object nor an array of entries")


def _read_entry(fixed: Repaired, node: Node, stamp: Stamp, report: Report) -> None:
    if node.kind != "object":
        return report.reject("entry is not an object")
    draft = Draft(stamp)
    draft.repaired = node.lone or fixed.touches(node.start, node.stop)
    if node.height > LIMITS.nesting_depth:
        draft.reject(f"nesting deeper than {LIMITS.nesting_depth}")
    else:
        _EntryReader(fixed.data, draft).read(node)
    return report.add(draft)


class _EntryReader:
    """Reads one object into a draft."""

    def __init__(self, data: bytes, draft: Draft) -> None:
        self._data = data
        self._draft = draft

    def read(self, node: Node) -> None:
        slots: dict[str, Node] = {}
        for key, value in node.members:
            if key in KNOWN:
                slots[key] = value
            else:
                self._metadata("" if key in METADATA_NAMES and value.kind == "object" else key, value, key in METADATA_NAMES)
        slots = {key: value for key, value in slots.items() if value.kind != "null" and self._text(value)}
        self._fields(slots)

    def _fields(self, slots: dict[str, Node]) -> None:
        chosen: dict[str, str] = {}
        for field in NAMES:
            name = self._choose(field, slots)
            if name is not None:
                chosen[field] = name
                self._field(field, self._text(slots[name]))
        for field in LEFT_OVER_ORDER:
            for name in NAMES[field]:
                if name in slots and name != chosen.get(field):
                    self._metadata(name, slots[name])
        if "timestamp" in chosen:
            text = self._text(slots[chosen["timestamp"]])
            self._draft.set_timestamp(parse_timestamp(text), text)

    def _field(self, field: str, text: str) -> None:
        if field == "level":
            self._draft.level = parse_level(text)
            if self._draft.level is None:
                self._draft.reject(_not_a_level(text))
        elif field != "timestamp":
            self._draft.texts[field] = text

    def _choose(self, field: str, slots: dict[str, Node]) -> str | None:
        """Return the name that gives the field its value. Only messages may be objects or arrays."""
        for name in NAMES[field]:
            if name not in slots:
                continue
            kind = slots[name].kind
            if kind in ("object", "array") and field != "message":
                if name != field:
                    continue
                self._draft.reject(f"{field}: an {kind}, not text")
            return name
        return None

    def _text(self, node: Node) -> str:
        return raw_text(self._data, node) if node.kind in ("object", "array") else node.text

    def _metadata(self, path: str, node: Node, root: bool = False) -> None:
        for key, value in self._flatten(path, node, root and node.kind == "object"):
            self._draft.put(key, value)

    def _flatten(self, path: str, node: Node, root: bool) -> Iterator[tuple[str, MetadataValue]]:
        match node.kind:
            case "object":
                for key, value in node.members:
                    yield from self._flatten(key if root else f"{path}.{key}", value, False)
            case "number":
                yield path, number_value(node.text)
            case "boolean":
                yield path, node.text == "true"
            case "null":
                return
            case _:
                yield path, self._text(node)


def _not_a_level(text: str) -> str:
    size = len(text.encode())
    return f"level: {size} bytes that are not a level" if size > SHOWN_BYTES_MAX else f'level: "{text}" is not a level'
