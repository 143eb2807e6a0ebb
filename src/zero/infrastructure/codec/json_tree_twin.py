"""A JSON reader in plain Python that says where a text stops being JSON, and keeps what others lose."""

import re
from dataclasses import dataclass, field

_BLANKS = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_EXPONENT = re.compile(rb"[eE][+-]?")
_DIGITS = re.compile(rb"[0-9]+")
_HEX = re.compile(rb"[0-9a-fA-F]{0,4}")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\u[0-9a-fA-F]{4}|\\."
)
_SHORT_ESCAPES = {b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t"}
_CLOSERS = {"object": b"}", "array": b"]"}


class JsonError(ValueError):
    """The text is not JSON; ``position`` is the first byte that cannot go on any JSON text, or the length of the text."""

    def __init__(self, position: int) -> None:
        super().__init__(f"not JSON at byte {position}")
        self.position = position


@dataclass(slots=True)
class Node:
    """A value: its JSON text is ``data[start:stop]``.

    ``kind``: null, string, number, boolean, object or array. ``text``: the characters of a string; the JSON text of a number or
    boolean. ``height``: 0 for a scalar, else one more than the highest value inside. ``lone``: there is a surrogate without its
    pair somewhere inside.
    """

    kind: str
    start: int
    stop: int = 0
    text: str = ""
    members: list[tuple[str, "Node"]] = field(default_factory=list)
    height: int = 0
    lone: bool = False


def parse_json(data: bytes) -> Node:
    """Return the tree of a JSON text, to any depth. Raises JsonError."""
    parents: list[Node] = []
    keys: list[str] = []
    at = _skip_blanks(data, 0)
    while True:
        node, at = _start_value(data, at)
        if node.kind in _CLOSERS:
            at = _skip_blanks(data, at)
            if data[at : at + 1] != _CLOSERS[node.kind]:
                parents.append(node)
                at = _start_member(data, at, node, keys)
                continue
            at += 1
            node.stop, node.height = at, 1
        while parents:
            parent = parents[-1]
            parent.members.append((keys.pop(), node))
            parent.height = max(parent.height, node.height + 1)
            parent.lone |= node.lone
            at = _skip_blanks(data, at)
            if data[at : at + 1] == b",":
                at = _start_member(data, _skip_blanks(data, at + 1), parent, keys)
                break
            if data[at : at + 1] != _CLOSERS[parent.kind]:
                raise JsonError(at)
            at += 1
            node = parents.pop()
            node.stop = at
        else:
            at = _skip_blanks(data, at)
            if at != len(data):
                raise JsonError(at)
            return node


def raw_text(data: bytes, node: Node) -> str:
    """Return the JSON text of a node, with the escape of U+FFFD for each surrogate without its pair."""
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match["lone"] else match[0], data[node.start : node.stop]).decode()


def _skip_blanks(data: bytes, at: int) -> int:
    match = _BLANKS.match(data, at)
    return match.end() if match else at


def _start_member(data: bytes, at: int, parent: Node, keys: list[str]) -> int:
    """Read up to the value of the next member, and push its key ('' in arrays)."""
    key = ""
    if parent.kind == "object":
        if data[at : at + 1] != b'"':
            raise JsonError(at)
        node = _string(data, at)
        parent.lone |= node.lone
        key, at = node.text, _skip_blanks(data, node.stop)
        if data[at : at + 1] != b":":
            raise JsonError(at)
        at = _skip_blanks(data, at + 1)
    keys.append(key)
    return at


def _start_value(data: bytes, at: int) -> tuple[Node, int]:
    """Return a scalar, or a container of which only the bracket is read, and the offset behind it."""
    match data[at : at + 1]:
        case b"{":
            return Node("object", at), at + 1
        case b"[":
            return Node("array", at), at + 1
        case b'"':
            node = _string(data, at)
        case b"t":
            node = _word(data, at, b"true", "boolean")
        case b"f":
            node = _word(data, at, b"false", "boolean")
        case b"n":
            node = _word(data, at, b"null", "null")
        case _:
            node = _number(data, at)
    return node, node.stop


def _word(data: bytes, at: int, word: bytes, kind: str) -> Node:
    for offset in range(len(word)):
        if data[at + offset : at + offset + 1] != word[offset : offset + 1]:
            raise JsonError(at + offset)
    return Node(kind, at, at + len(word), word.decode())


def _number(data: bytes, start: int) -> Node:
    match = _INTEGER.match(data, start)
    if not match:
        raise JsonError(start + (data[start : start + 1] == b"-"))
    at = match.end()
    if data[at : at + 1] == b".":
        at = _digits(data, at + 1)
    exponent = _EXPONENT.match(data, at)
    if exponent:
        at = _digits(data, exponent.end())
    return Node("number", start, at, data[start:at].decode())


def _digits(data: bytes, at: int) -> int:
    match = _DIGITS.match(data, at)
    if not match:
        raise JsonError(at)
    return match.end()


def _string(data: bytes, start: int) -> Node:
    at = start + 1
    while True:
        match = _PLAIN.match(data, at)
        at = match.end() if match else at
        match data[at : at + 1]:
            case b'"':
                break
            case b"\\":
                at = _check_escape(data, at + 1)
            case _:
                raise JsonError(at)
    raw = data[start + 1 : at]
    lone = any(match["lone"] for match in _ESCAPE.finditer(raw))
    return Node("string", start, at + 1, _unescape(raw), lone=lone)


def _check_escape(data: bytes, at: int) -> int:
    """Return the offset behind the escape whose backslash lies before ``at``."""
    if data[at : at + 1] == b"u":
        match = _HEX.match(data, at + 1)
        stop = match.end() if match else at + 1
        if stop < at + 5:
            raise JsonError(stop)
        return stop
    if at == len(data) or data[at : at + 1] not in b'"\\/bfnrt':
        raise JsonError(at)
    return at + 1


def _unescape(raw: bytes) -> str:
    text, at = "", 0
    for match in _ESCAPE.finditer(raw):
        text += raw[at : match.start()].decode(errors="replace") + _character(match)
        at = match.end()
    return text + raw[at:].decode(errors="replace")


def _character(match: re.Match[bytes]) -> str:
    escape = match[0]
    if match["lone"]:
        return "\ufffd"
    if len(escape) == 2:
        return _SHORT_ESCAPES.get(escape[1:], escape[1:].decode())
    units = [int(escape[at + 2 : at + 6], 16) for at in range(0, len(escape), 6)]
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")
