"""Query tree to a condition in SQL.

Nothing a user wrote becomes part of the SQL: texts, numbers and patterns are bound as ``{p0:String}``, metadata keys as
``{p1:Identifier}``. The SQL depends on the shape of the query alone. Every condition is 0 or 1, never NULL, so that ``NOT``
of a condition on an absent metadata key is true.

The text index on ``lower(message)`` serves ``hasToken(lower(message), …)`` and ``lower(message) LIKE …``. Its tokens are runs
of ASCII letters and digits and of bytes outside ASCII: ``hasToken`` finds candidates, and a second condition settles ``_``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from zero.domain.query import (
    CASELESS_FIELDS,
    And,
    Between,
    Bound,
    Contains,
    Everything,
    Exists,
    HasId,
    HasWord,
    InPattern,
    Is,
    LevelIn,
    Like,
    MessageLike,
    Node,
    Not,
    OfPatterns,
    Or,
    Pattern,
    TimeBetween,
    Wild,
    fold_case,
    has_wide_case,
)
from zero.domain.query_fields import parse_number

_LIKE_SPECIAL = re.compile(r"[\\%_]")
_NOT_WORD_ASCII = re.compile(r"[^0-9A-Za-z_\x80-\U0010ffff]")
_INNER_TOKEN = re.compile(r"(?<=[^0-9A-Za-z\x80-\U0010ffff])[0-9A-Za-z]+(?=[^0-9A-Za-z\x80-\U0010ffff])")
_TOKENS = re.compile(r"[0-9A-Za-z]+")
_WORD_CHAR = r"0-9a-z_\x{80}-\x{10ffff}"
_LIKE_WILD = {Wild.ANY: "%", Wild.ONE: "_"}
# The patterns of the same group. The tenant is bound by whoever puts the condition behind its own, as every read does.
MEMBERS = (
    "SELECT pattern_id FROM patterns FINAL WHERE tenant = {{tenant:String}} AND group_id GLOBAL IN "
    "(SELECT group_id FROM patterns FINAL WHERE tenant = {{tenant:String}} AND pattern_id = {})"
)
_NUMBER_TYPES = ("Int64", "UInt64", "Float64")
_BOOLEANS = {"true": "true", "false": "false"}
_TRACE_BYTES = 16
_PACKED_TRACE = re.compile(r"[0-9a-f]{32}")
# A shorter piece is in so many tokens of the index that reading them costs more than it saves.
_PIECE_CHARS_MIN = 3


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name to bind. Unlike texts, identifiers are taken by the server as they are: the client must not escape them."""

    name: str

    def __str__(self) -> str:
        return self.name


Parameters = dict[str, str | int | float | Identifier]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that yields 0 or 1, and the values bound in it."""

    sql: str
    parameters: Parameters


def compile_query(node: Node) -> Condition:
    """Return the condition for a query tree."""
    compiler = _Compiler()
    return Condition(compiler.sql(node), compiler.parameters)


def pack_trace_id(text: str) -> bytes:
    """Return what column ``_trace`` holds for a trace id: 32 lowercase hex digits as 16 bytes, anything else as text.

    A text of 16 bytes, or one longer with only NULs behind, gets one more NUL, so that it is never taken for a packed one.
    """
    if _PACKED_TRACE.fullmatch(text):
        return bytes.fromhex(text)
    data = text.encode()
    if len(data) >= _TRACE_BYTES and not data[_TRACE_BYTES:].strip(b"\0"):
        return data + b"\0"
    return data


class _Compiler:
    def __init__(self) -> None:
        self.parameters: Parameters = {}

    def sql(self, node: Node) -> str:
        match node:
            case Everything():
                return "1"
            case And(children):
                return "(" + " AND ".join(self.sql(child) for child in children) + ")"
            case Or(children):
                return "(" + " OR ".join(self.sql(child) for child in children) + ")"
            case Not(child):
                return f"(NOT {self.sql(child)})"
            case LevelIn(levels):
                return f"(level IN ({', '.join(str(int(level)) for level in sorted(levels))}))" if levels else "0"
            case TimeBetween(from_ns, to_ns):
                return self._time(from_ns, to_ns)
            case HasId(batch_id, index):
                return f"(_bid = {self._bind(batch_id, 'UInt64')} AND _idx = {self._bind(index, 'UInt32')})"
            case InPattern(pattern_id):
                bound = self._bind(pattern_id, "UInt64")
                return f"(pattern_id = {bound} OR pattern_id GLOBAL IN ({MEMBERS.format(bound)}))"
            case OfPatterns(pattern_ids):
                return f"(pattern_id IN ({', '.join(map(str, sorted(pattern_ids)))}))" if pattern_ids else "0"
            case HasWord() | Contains() | MessageLike():
                return self._message(node)
        return self._key(node) if node.field.is_key else self._column(node)

    def _bind(self, value: str | int | float | Identifier, type_name: str = "String") -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{type_name}}}"

    def _time(self, from_ns: int | None, to_ns: int | None) -> str:
        ends = []
        if from_ns is not None:
            ends.append(f"timestamp >= fromUnixTimestamp64Nano({self._bind(from_ns, 'Int64')}, 'UTC')")
        if to_ns is not None:
            ends.append(f"timestamp < fromUnixTimestamp64Nano({self._bind(to_ns, 'Int64')}, 'UTC')")
        return f"({' AND '.join(ends)})" if ends else "1"

    def _message(self, node: HasWord | Contains | MessageLike) -> str:
        match node:
            case HasWord(word):
                return self._word(word)
            case Contains(text):
                return self._contains(text)
            case MessageLike(pattern, whole_word):
                return self._message_like(pattern, whole_word)

    def _word(self, word: str) -> str:
        if has_wide_case(word):
            return f"(hasToken(replaceAll(lowerUTF8(message), '_', '0'), lowerUTF8({self._bind(word)})))"
        bound = self._bind(fold_case(word))
        return f"(hasToken(lower(message), {bound}) AND hasToken(replaceAll(lower(message), '_', '0'), {bound}))"

    def _contains(self, text: str) -> str:
        wide = has_wide_case(text)
        tokens = _TOKENS.findall(text)
        # The index finds whole tokens inside the text by itself; without one, a piece of a token narrows the search first.
        has_whole_token = not wide and _INNER_TOKEN.search(text) is not None
        conditions = [] if has_whole_token or tokens == [text] else self._piece(tokens)
        if wide:
            full = f"lowerUTF8(message) LIKE lowerUTF8({self._bind(f'%{_escape_like(text)}%')})"
        else:
            full = f"lower(message) LIKE {self._bind(f'%{_escape_like(fold_case(text))}%')}"
        return "(" + " AND ".join([*conditions, full]) + ")"

    def _piece(self, texts: list[str]) -> list[str]:
        longest = max(texts, key=len, default="")
        if len(longest) < _PIECE_CHARS_MIN:
            return []
        return [f"lower(message) LIKE {self._bind(f'%{fold_case(longest)}%')}"]

    def _message_like(self, pattern: Pattern, whole_word: bool) -> str:
        literals = [part for part in pattern if isinstance(part, str)]
        wide = has_wide_case("".join(literals))
        folded = pattern if wide else tuple(fold_case(part) if isinstance(part, str) else part for part in pattern)
        regex = "".join(_regex_part(part, whole_word) for part in folded)
        if whole_word:
            regex = f"(?:^|[^{_WORD_CHAR}])(?:{regex})(?:[^{_WORD_CHAR}]|$)"
        pieces = self._piece([token for literal in literals for token in _TOKENS.findall(literal)])
        if wide:
            matched = f"match(lowerUTF8(message), lowerUTF8({self._bind(regex)}))"
        else:
            matched = f"match(lower(message), {self._bind(regex)})"
        return "(" + " AND ".join([*pieces, matched]) + ")"

    def _column(self, node: Is | Like | Between | Exists) -> str:
        name = node.field.name
        caseless = name in CASELESS_FIELDS
        column = f"lower({name})" if caseless else name
        fold: Callable[[str], str] = fold_case if caseless else str
        match node:
            case Is(_, text):
                if name == "trace_id":
                    return f"(_trace = unhex({self._bind(pack_trace_id(text).hex())}))"
                return f"({column} = {self._bind(fold(text))})"
            case Like(_, pattern):
                return f"({column} LIKE {self._bind(fold(_like(pattern)))})"
            case Exists():
                return f"({name} != '')"
            case Between(_, low, high):
                ends = [(low, ">"), (high, "<")]
                tests = [f"{column} {_operator(end, sign)} {self._bind(fold(str(end.value)))}" for end, sign in ends if end]
                return "(" + " AND ".join(tests) + ")"

    def _key(self, node: Is | Like | Between | Exists) -> str:
        path = f"metadata.{self._bind(Identifier(node.field.name), 'Identifier')}"
        match node:
            case Is(_, text):
                return self._key_is(path, text)
            case Like(_, pattern):
                return f"ifNull(toString({path}) LIKE {self._bind(_like(pattern))}, 0)"
            case Exists():
                return f"isNotNull({path})"
            case Between(_, low, high):
                return self._key_between(path, low, high)

    def _key_is(self, path: str, text: str) -> str:
        tests = [f"ifNull({path}.:String = {self._bind(text)}, 0)"]
        if text in _BOOLEANS:
            tests.append(f"ifNull({path}.:Bool = {_BOOLEANS[text]}, 0)")
        number = parse_number(text)
        if number is not None:
            bound = self._number(number)
            tests.extend(f"ifNull({path}.:{type_name} = {bound}, 0)" for type_name in _NUMBER_TYPES)
        return "(" + " OR ".join(tests) + ")"

    def _key_between(self, path: str, low: Bound | None, high: Bound | None) -> str:
        ends = [(end, sign) for end, sign in ((low, ">"), (high, "<")) if end]
        bound = [(_operator(end, sign), self._bound_value(end)) for end, sign in ends]
        if isinstance(ends[0][0].value, str):
            columns = [f"{path}.:String"]
        else:
            columns = [f"{path}.:{type_name}" for type_name in _NUMBER_TYPES] + [f"toFloat64OrNull({path}.:String)"]
        tests = [" AND ".join(f"{column} {sign} {value}" for sign, value in bound) for column in columns]
        return "(" + " OR ".join(f"ifNull({test}, 0)" for test in tests) + ")"

    def _bound_value(self, end: Bound) -> str:
        return self._bind(end.value) if isinstance(end.value, str) else self._number(end.value)

    def _number(self, number: int | float) -> str:
        if isinstance(number, int) and -(2**63) <= number < 2**63:
            return self._bind(number, "Int64")
        if isinstance(number, int) and 0 <= number < 2**64:
            return self._bind(number, "UInt64")
        return self._bind(float(number), "Float64")


def _operator(end: Bound, sign: str) -> str:
    return f"{sign}=" if end.inclusive else sign


def _escape_like(text: str) -> str:
    return _LIKE_SPECIAL.sub(r"\\\g<0>", text)


def _like(pattern: Pattern) -> str:
    return "".join(_escape_like(part) if isinstance(part, str) else _LIKE_WILD[part] for part in pattern)


def _regex_part(part: str | Wild, whole_word: bool) -> str:
    if isinstance(part, str):
        return _NOT_WORD_ASCII.sub(lambda char: f"\\x{{{ord(char[0]):x}}}", part)
    return (f"[{_WORD_CHAR}]" if whole_word else r"[^\s]") + ("*" if part is Wild.ANY else "")
