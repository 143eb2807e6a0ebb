"""OTLP/JSON in plain Python: written in protobuf, then read as that. The oracle of the native decoder."""

import base64
import binascii
import math
import re
from collections.abc import Iterator

from zero.application.ports import Decoded
from zero.domain.varint import varint
from zero.infrastructure.codec.decode_otlp_twin import OtlpRecords
from zero.infrastructure.codec.entry_twin import LIMITS, Stamp
from zero.infrastructure.codec.json_form_twin import NUMBER, WrongForm, elements, integer, members, read_form, string
from zero.infrastructure.codec.json_tree_twin import Node
from zero.infrastructure.codec.protobuf_wire import FIXED32, bytes_field, double_field, fixed64_field, varint_field
from zero.infrastructure.codec.text_twin import Repaired

_RESOURCE = {"attributes": ("pairs", 1), "droppedAttributesCount": ("uint32", 2)}
_SCOPE = {"name": ("text", 1), "version": ("text", 2), "attributes": ("pairs", 3), "droppedAttributesCount": ("uint32", 4)}
_RECORD = {
    "timeUnixNano": ("fixed64", 1),
    "severityNumber": ("severity", 2),
    "severityText": ("text", 3),
    "body": ("value", 5),
    "attributes": ("pairs", 6),
    "droppedAttributesCount": ("uint32", 7),
    "flags": ("fixed32", 8),
    "traceId": ("hex", 9),
    "spanId": ("hex", 10),
    "observedTimeUnixNano": ("fixed64", 11),
    "eventName": ("text", 12),
}
_PAIR = {"key": ("text", 1), "value": ("value", 2)}
_VALUE = {
    "stringValue": ("text", 1),
    "boolValue": ("boolean", 2),
    "intValue": ("int64", 3),
    "doubleValue": ("float64", 4),
    "arrayValue": ("array", 5),
    "kvlistValue": ("list", 6),
    "bytesValue": ("base64", 7),
}
_ARRAY = {"values": ("values", 1)}
_LIST = {"values": ("pairs", 1)}
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SEVERITIES = {"SEVERITY_NUMBER_UNSPECIFIED": 0} | {
    f"SEVERITY_NUMBER_{word}{rank if rank > 1 else ''}": level * 4 + rank
    for level, word in enumerate(_LEVELS)
    for rank in range(1, 5)
}
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Fields = dict[str, tuple[str, int]]


def decode_otlp_json(body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
    """Decode ``ExportLogsServiceRequest`` in OTLP/JSON. Raises InvalidInput when the whole body is unreadable."""
    records = OtlpRecords(Stamp(now_ns, source))
    read_form(bytes(body), "OTLP/JSON", lambda fixed, root: _request(records, fixed, root))
    return records.report.decoded()


def _request(records: OtlpRecords, fixed: Repaired, root: Node) -> None:
    for key, value in members(root):
        if _camel(key) == "resourceLogs":
            for element in elements(value):
                _resource_logs(records, fixed, element)


def _resource_logs(records: OtlpRecords, fixed: Repaired, node: Node) -> None:
    records.begin_resource()
    message, repaired = _shared(fixed, node, "resource", _RESOURCE)
    records.read_resource(message, 0, len(message))
    records.draft.repaired |= repaired
    for element in _inner(node, "scopeLogs"):
        _scope_logs(records, fixed, element)


def _scope_logs(records: OtlpRecords, fixed: Repaired, node: Node) -> None:
    message, repaired = _shared(fixed, node, "scope", _SCOPE)
    records.begin_scope()
    records.read_scope(message, 0, len(message))
    records.draft.repaired |= repaired
    for element in _inner(node, "logRecords"):
        records.reserve()
        record = _message(element, _RECORD, 1)
        records.record(record, 0, len(record), _is_repaired(fixed, element))


def _shared(fixed: Repaired, node: Node, name: str, fields: Fields) -> tuple[bytes, bool]:
    found = [value for key, value in members(node) if key == name]
    return b"".join(_message(value, fields, 1) for value in found), any(_is_repaired(fixed, value) for value in found)


def _inner(node: Node, name: str) -> Iterator[Node]:
    """Yield the elements of the arrays of that name. Raises WrongForm when the reading comes to one that is none."""
    for key, value in members(node):
        if _camel(key) == name:
            yield from elements(value)


def _is_repaired(fixed: Repaired, node: Node) -> bool:
    return node.lone or fixed.touches(node.start, node.stop)


def _message(node: Node, fields: Fields, depth: int) -> bytes:
    parts = []
    for key, value in members(node):
        form, number = fields.get(_camel(key), ("", 0))
        if form:
            parts.append(_field(form, number, value, depth))
    return b"".join(parts)


def _camel(key: str) -> str:
    """Return a name of the protobuf as that of the JSON, any other as it is."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), key) if re.fullmatch("[a-z]+(_[a-z]+)+", key) else key


def _field(form: str, number: int, node: Node, depth: int) -> bytes:
    match form:
        case "text":
            return bytes_field(number, string(node).encode())
        case "boolean":
            if node.kind != "boolean":
                raise WrongForm(node)
            return varint_field(number, node.text == "true")
        case "int64":
            return varint_field(number, integer(node, -(1 << 63), (1 << 63) - 1) & (1 << 64) - 1)
        case "float64":
            return double_field(number, _double(node))
        case "fixed64":
            return fixed64_field(number, integer(node, 0, (1 << 64) - 1))
        case "fixed32":
            return varint(number << 3 | FIXED32) + integer(node, 0, (1 << 32) - 1).to_bytes(4, "little")
        case "uint32":
            return varint_field(number, integer(node, 0, (1 << 32) - 1))
        case "severity":
            named = _SEVERITIES.get(node.text) if node.kind == "string" else None
            return varint_field(number, integer(node, 0, 24) if named is None else named)
        case "hex" | "base64":
            return bytes_field(number, _binary(form, node))
    return _container(form, number, node, depth)


def _container(form: str, number: int, node: Node, depth: int) -> bytes:
    match form:
        case "values":
            values = (b"" if each.kind == "null" else _message(each, _VALUE, depth) for each in elements(node))
            return b"".join(bytes_field(number, value) for value in values)
        case "pairs":
            return b"".join(bytes_field(number, _message(each, _PAIR, depth)) for each in elements(node))
        case "array" | "list":
            too_deep = depth + 1 > LIMITS.nesting_depth
            inner = b"" if too_deep else _message(node, _ARRAY if form == "array" else _LIST, depth + 1)
            return bytes_field(number, inner)
    return bytes_field(number, _message(node, _VALUE, depth))


def _double(node: Node) -> float:
    if node.kind == "string" and node.text in _WORDS:
        return _WORDS[node.text]
    if node.kind in ("number", "string") and NUMBER.fullmatch(node.text):
        value = float(node.text)
        if not math.isinf(value) and (value or not re.search("[1-9]", re.split("[eE]", node.text)[0])):
            return value
    raise WrongForm(node)


def _binary(form: str, node: Node) -> bytes:
    text = string(node)
    try:
        if form == "hex" and re.fullmatch("[0-9a-fA-F]*", text):
            return bytes.fromhex(text)
        digits = text.rstrip("=").translate(str.maketrans("-_", "+/"))
        if form == "base64" and re.fullmatch("[A-Za-z0-9+/]*", digits) and len(digits) % 4 != 1:
            return base64.b64decode(digits + "=" * (-len(digits) % 4))
    except (ValueError, binascii.Error):
        pass
    raise WrongForm(node)
