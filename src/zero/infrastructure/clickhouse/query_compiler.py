"""Query tree to a condition in SQL.

Nothing a user wrote becomes part of the SQL: texts, numbers and patterns are bound as ``{p0:String}``, metadata keys as
``{p1:Identifier}``. The SQL depends on the shape of the query alone. Every condition is 0 or 1, never NULL, so that ``NOT``
of a condition on an absent metadata key is true.

The text index on ``lower(message)`` serves ``hasToken(lower(message), …)`` and ``lower(message) LIKE …``. Its tokens are runs
of ASCII letters and digits and of bytes outside ASCII: ``hasToken`` finds candidates, and a second condition settles ``_``.
"""

import re
from dataclasses import dataclass

from zero.application.sql_condition import OfField, SqlCompiler, all_of, any_of, ends_of, escape_like, folded, like, literals
from zero.domain.query import Between, Bound, Exists, Glob, Is, Like, Node, Wild, fold_case, has_wide_case
from zero.domain.query_fields import parse_number

_NOT_WORD_ASCII = re.compile(r"[^0-9A-Za-z_\x80-\U0010ffff]")
_INNER_TOKEN = re.compile(r"(?<=[^0-9A-Za-z\x80-\U0010ffff])[0-9A-Za-z]+(?=[^0-9A-Za-z\x80-\U0010ffff])")
_TOKENS = re.compile(r"[0-9A-Za-z]+")
_WORD_CHAR = r"0-9a-z_\x{80}-\x{10ffff}"
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


class _Compiler(SqlCompiler):
    true, false = "1", "0"

    def __init__(self) -> None:
        self.parameters: Parameters = {}

    def bind(self, text: str) -> str:
        return self._bind(text)

    def _bind(self, value: str | int | float | Identifier, type_name: str = "String") -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{type_name}}}"

    def time(self, moment_ns: int, sign: str) -> str:
        return f"timestamp {sign} fromUnixTimestamp64Nano({self._bind(moment_ns, 'Int64')}, 'UTC')"

    def identity(self, batch_id: int, index: int) -> str:
        return f"(_bid = {self._bind(batch_id, 'UInt64')} AND _idx = {self._bind(index, 'UInt32')})"

    def in_pattern(self, pattern_id: int) -> str:
        bound = self._bind(pattern_id, "UInt64")
        return f"(pattern_id = {bound} OR pattern_id GLOBAL IN ({MEMBERS.format(bound)}))"

    def of_patterns(self, pattern_ids: list[int]) -> str:
        return f"(pattern_id IN ({', '.join(map(str, pattern_ids))}))" if pattern_ids else self.false

    def word(self, word: str) -> str:
        if has_wide_case(word):
            return f"(hasToken(replaceAll(lowerUTF8(message), '_', '0'), lowerUTF8({self._bind(word)})))"
        bound = self._bind(fold_case(word))
        return f"(hasToken(lower(message), {bound}) AND hasToken(replaceAll(lower(message), '_', '0'), {bound}))"

    def contains(self, text: str) -> str:
        wide = has_wide_case(text)
        tokens = _TOKENS.findall(text)
        # The index finds whole tokens inside the text by itself; without one, a piece of a token narrows the search first.
        has_whole_token = not wide and _INNER_TOKEN.search(text) is not None
        conditions = [] if has_whole_token or tokens == [text] else self._piece(tokens)
        if wide:
            full = f"lowerUTF8(message) LIKE lowerUTF8({self._bind(f'%{escape_like(text)}%')})"
        else:
            full = f"lower(message) LIKE {self._bind(f'%{escape_like(fold_case(text))}%')}"
        return all_of([*conditions, full])

    def _piece(self, texts: list[str]) -> list[str]:
        longest = max(texts, key=len, default="")
        if len(longest) < _PIECE_CHARS_MIN:
            return []
        return [f"lower(message) LIKE {self._bind(f'%{fold_case(longest)}%')}"]

    def message_like(self, pattern: Glob, whole_word: bool) -> str:
        wide = has_wide_case("".join(literals(pattern)))
        parts = pattern if wide else folded(pattern)
        regex = "".join(_regex_part(part, whole_word) for part in parts)
        if whole_word:
            regex = f"(?:^|[^{_WORD_CHAR}])(?:{regex})(?:[^{_WORD_CHAR}]|$)"
        pieces = self._piece([token for literal in literals(pattern) for token in _TOKENS.findall(literal)])
        if wide:
            matched = f"match(lowerUTF8(message), lowerUTF8({self._bind(regex)}))"
        else:
            matched = f"match(lower(message), {self._bind(regex)})"
        return all_of([*pieces, matched])

    def column_is(self, name: str, column: str, text: str) -> str:
        if name == "trace_id":
            return f"(_trace = unhex({self._bind(pack_trace_id(text).hex())}))"
        return super().column_is(name, column, text)

    def key(self, node: OfField) -> str:
        path = f"metadata.{self._bind(Identifier(node.field.name), 'Identifier')}"
        match node:
            case Is(_, text):
                return self._key_is(path, text)
            case Like(_, pattern):
                return f"ifNull(toString({path}) LIKE {self._bind(like(pattern))}, 0)"
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
        return any_of(tests)

    def _key_between(self, path: str, low: Bound | None, high: Bound | None) -> str:
        ends = ends_of(low, high)
        bound = [(sign, self._bound_value(end)) for sign, end in ends]
        if isinstance(ends[0][1].value, str):
            columns = [f"{path}.:String"]
        else:
            columns = [f"{path}.:{type_name}" for type_name in _NUMBER_TYPES] + [f"toFloat64OrNull({path}.:String)"]
        tests = [" AND ".join(f"{column} {sign} {value}" for sign, value in bound) for column in columns]
        return any_of(f"ifNull({test}, 0)" for test in tests)

    def _bound_value(self, end: Bound) -> str:
        return self._bind(end.value) if isinstance(end.value, str) else self._number(end.value)

    def _number(self, number: int | float) -> str:
        if isinstance(number, int) and -(2**63) <= number < 2**63:
            return self._bind(number, "Int64")
        if isinstance(number, int) and 0 <= number < 2**64:
            return self._bind(number, "UInt64")
        return self._bind(float(number), "Float64")


def _regex_part(part: str | Wild, whole_word: bool) -> str:
    if isinstance(part, str):
        return _NOT_WORD_ASCII.sub(lambda char: f"\\x{{{ord(char[0]):x}}}", part)
    return (f"[{_WORD_CHAR}]" if whole_word else r"[^\s]") + ("*" if part is Wild.ANY else "")
