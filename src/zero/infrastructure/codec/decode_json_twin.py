"""The JSON door in plain Python: the oracle of the native decoder.

Which key means which field, and what becomes metadata, can be read here. Of several names of a field the first in the
table wins and the others become metadata; an empty text counts as absent; of equal keys the last wins.
"""

from collections.abc import Iterable, Iterator

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
DOCUMENT_NAMES = NAMES | {
    "message": (*NAMES["message"], "event.original"),
    "source": (*NAMES["source"], "host.name", "host.hostname"),
    "environment": (*NAMES["environment"], "service.environment"),
    "trace_id": ("trace_id", "trace.id"),
    "span_id": ("span_id", "span.id"),
    "user_id": ("user_id", "user.id"),
}
"""Those of Elasticsearch's documents: names with a dot are those of the Elastic Common Schema, and may be nested."""
ECS = {name for names in DOCUMENT_NAMES.values() for name in names if "." in name}
LEFT_OVER_ORDER = ("message", "timestamp", "level", "app_id", "source", "environment", "trace_id", "span_id", "user_id")
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
    """Return the refusal of a body whose shared attributes, repeated in every entry, make its payload too large."""
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
    if is_lines(text):
        for line in text.split(b"\n"):
            if line.strip(_BLANKS):
                report.reserve()
                read_line(line, Stamp(now_ns, source), report)
    else:
        _read_document(text, len(data) - len(text), Stamp(now_ns, source), report)
    return report.decoded()


def is_lines(text: bytes) -> bool:
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


def read_line(line: bytes, stamp: Stamp, report: Report) -> None:
    """Take one line of NDJSON."""
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
    wrapped = root.kind == "object" and [key for key, _ in root.members] == ["logs"]
    if wrapped:
        root = root.members[0][1]
    if root.kind == "object" and not wrapped:
        _read_entry(fixed, root, stamp, report)
    elif root.kind == "array":
        for _, node in root.members:
            report.reserve()
            _read_entry(fixed, node, stamp, report)
    else:
        raise InvalidInput('body is neither an entry, nor an array of entries, nor {"logs": [entries]}')


def _read_entry(fixed: Repaired, node: Node, stamp: Stamp, report: Report) -> None:
    if node.kind != "object":
        return report.reject("entry is not an object")
    return report.add(read_draft(fixed, node, stamp))


def read_draft(fixed: Repaired, node: Node, stamp: Stamp, documents: bool = False) -> Draft:
    """Return what an object says; ``documents``: it is one of Elasticsearch's."""
    draft = Draft(stamp)
    draft.repaired = node.lone or fixed.touches(node.start, node.stop)
    if node.height > LIMITS.nesting_depth:
        draft.reject(f"nesting deeper than {LIMITS.nesting_depth}")
    else:
        _EntryReader(fixed.data, draft, documents).read(node)
    return draft


class _EntryReader:
    """Reads one object into a draft."""

    def __init__(self, data: bytes, draft: Draft, documents: bool) -> None:
        self._data = data
        self._draft = draft
        self._documents = documents
        self._names = DOCUMENT_NAMES if documents else NAMES
        self._known = KNOWN | ECS if documents else KNOWN
        self._slots: dict[str, Node] = {}

    def read(self, node: Node) -> None:
        for key, value in node.members:
            nested = self._documents and key != "message" and value.kind in ("object", "array")
            if key in self._known and not nested:
                self._slots[key] = value
                continue
            root = key in METADATA_NAMES and value.kind == "object"
            leaves = list(self._leaves("" if root else key, value, root))
            named = [(path, leaf) for path, leaf in leaves if self._documents and path in ECS and leaf.kind != "array"]
            self._slots |= dict(named)
            self._put(each for each in leaves if each not in named)
        self._fields({key: value for key, value in self._slots.items() if value.kind != "null" and self._text(value)})

    def _put(self, leaves: Iterable[tuple[str, Node]]) -> None:
        for path, leaf in leaves:
            if leaf.kind != "null":
                self._draft.put(path, self._value(leaf))

    def _fields(self, slots: dict[str, Node]) -> None:
        chosen: dict[str, str] = {}
        for field in NAMES:
            name = self._choose(field, slots)
            if name is not None:
                chosen[field] = name
                self._field(field, slots[name])
        for field in LEFT_OVER_ORDER:
            for name in self._names[field]:
                if name in slots and name != chosen.get(field):
                    self._put(self._leaves(name, slots[name], False))
        if "timestamp" in chosen:
            text = self._text(slots[chosen["timestamp"]])
            self._draft.set_timestamp(parse_timestamp(text), text)

    def _field(self, field: str, node: Node) -> None:
        text = self._text(node)
        if field == "level":
            self._draft.level = parse_level(text)
            if self._draft.level is None:
                self._draft.put("original_level", self._value(node))
        elif field != "timestamp":
            self._draft.texts[field] = text

    def _choose(self, field: str, slots: dict[str, Node]) -> str | None:
        """Return the name that gives the field its value. Only messages may be objects or arrays."""
        for name in self._names[field]:
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

    def _leaves(self, path: str, node: Node, root: bool) -> Iterator[tuple[str, Node]]:
        """Yield what is not an object, under its dotted path; the members of a ``root`` have none before them."""
        if node.kind != "object":
            yield path, node
            return
        for key, value in node.members:
            yield from self._leaves(key if root else f"{path}.{key}", value, False)

    def _value(self, node: Node) -> MetadataValue:
        match node.kind:
            case "number":
                return number_value(node.text)
            case "boolean":
                return node.text == "true"
        return self._text(node)
