"""Query tree to a condition in SQL.

Nothing a user wrote becomes part of the SQL: texts, numbers, patterns and metadata keys are bound by the server. The SQL
depends on the shape of the query alone. Every condition is true or false, never NULL, so that ``NOT`` of a condition on an
absent metadata key is true.

The full-text index holds the words of a message (``zero_words``): it serves words, and the whole words inside a longer text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zero.application.sql_condition import OfField, SqlCompiler, any_of, ends_of, escape_like, folded, like, literals
from zero.domain.query import Between, Bound, Exists, Glob, Is, Like, Node, Wild, fold_case, has_wide_case
from zero.domain.query_fields import parse_number
from zero.infrastructure.postgres.values import json_value, quoted, signed, to_text

_REGEX_SPECIAL = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")
_WORD = r"0-9A-Za-z_\x80-\U0010ffff"
_INNER_WORD = re.compile(f"(?<=[^{_WORD}])[{_WORD}]+(?=[^{_WORD}])")
_NOT_WORD = r"[\x01-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]"
_BLANKS = r"[ \t\n\v\f\r]"
_NON_BLANK = r"[^ \t\n\v\f\r]"
# The patterns of the same group. The tenant is bound by whoever puts the condition behind its own, as every read does.
MEMBERS = (
    "SELECT pattern_id FROM patterns WHERE tenant = %(tenant)s AND group_id IN "
    "(SELECT group_id FROM patterns WHERE tenant = %(tenant)s AND pattern_id = {})"
)
# Of longer words the index has the beginning only.
_INDEXED_CHARS_MAX = 499
# More wildcards than that make too large a machine of a regular expression: then each word is looked at by itself.
_REGEX_WILDS_MAX = 8

Parameters = dict[str, str | int | float | Sequence[int] | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that yields true or false, and the values bound in it."""

    sql: str
    parameters: Parameters


def compile_query(node: Node) -> Condition:
    """Return the condition for a query tree."""
    compiler = _Compiler()
    return Condition(compiler.sql(node), compiler.parameters)


class _Compiler(SqlCompiler):
    def __init__(self) -> None:
        self.parameters: Parameters = {}

    def bind(self, text: str) -> str:
        return self._bind(text)

    def _bind(self, value: str | int | float | Sequence[int] | Sequence[str], kind: str = "text") -> str:
        return self._bind_stored(to_text(value) if isinstance(value, str) and kind == "text" else value, kind)

    def _bind_stored(self, value: str | int | float | Sequence[int] | Sequence[str], kind: str = "text") -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{kind}"

    def time(self, moment_ns: int, sign: str) -> str:
        return f"timestamp_ns {sign} {self._bind(moment_ns, 'bigint')}"

    def identity(self, batch_id: int, index: int) -> str:
        return f"(bid = {self._bind(signed(batch_id), 'bigint')} AND idx = {self._bind(index, 'bigint')})"

    def in_pattern(self, pattern_id: int) -> str:
        bound = self._bind(signed(pattern_id), "bigint")
        return f"(pattern_id = {bound} OR pattern_id IN ({MEMBERS.format(bound)}))"

    def of_patterns(self, pattern_ids: list[int]) -> str:
        return f"(pattern_id = ANY({self._bind([signed(one) for one in pattern_ids], 'bigint[]')}))"

    def word(self, word: str) -> str:
        if not has_wide_case(word) and len(word) <= _INDEXED_CHARS_MAX:
            return f"(zero_words(message) @> {self._bind([fold_case(word)], 'text[]')})"
        return self._matches((word,), f"(?:^|{_NOT_WORD})(?:{{}})(?:{_NOT_WORD}|$)", _NOT_WORD)

    def contains(self, text: str) -> str:
        if has_wide_case(text):
            return f"(zero_lower(message) LIKE zero_lower({self._bind(f'%{escape_like(text)}%')}))"
        small = fold_case(text)
        inner = [word for word in _INNER_WORD.findall(small) if len(word) <= _INDEXED_CHARS_MAX]
        narrowed = f"zero_words(message) @> {self._bind(inner, 'text[]')} AND " if inner else ""
        return f"({narrowed}lower(message) LIKE {self._bind(f'%{escape_like(small)}%')})"

    def message_like(self, pattern: Glob, whole_word: bool) -> str:
        if sum(part is Wild.ANY for part in pattern) > _REGEX_WILDS_MAX:
            return self._any_part_like(pattern, whole_word)
        if whole_word:
            return self._matches(pattern, f"(?:^|{_NOT_WORD})(?:{{}})(?:{_NOT_WORD}|$)", _NOT_WORD.replace("[", "[^", 1))
        return self._matches(pattern, "{}", _NON_BLANK)

    def _matches(self, pattern: Glob, around: str, one: str) -> str:
        texts = literals(pattern)
        wide = has_wide_case("".join(texts))
        parts = pattern if wide else folded(pattern)
        regex = self._bind_stored(around.replace("{}", "".join(_regex_part(part, one) for part in parts)))
        if wide:
            return f"(zero_lower(message) ~ zero_lower({regex}))"
        longest = max(texts, key=len, default="")
        piece = f"lower(message) LIKE {self._bind(f'%{escape_like(fold_case(longest))}%')} AND " if longest else ""
        return f"({piece}lower(message) ~ {regex})"

    def _any_part_like(self, pattern: Glob, whole_word: bool) -> str:
        wide = has_wide_case("".join(literals(pattern)))
        lower = "zero_lower" if wide else "lower"
        between, ends = (_NOT_WORD, "") if whole_word else (_BLANKS, "%")
        bound = self._bind(f"{ends}{like(pattern)}{ends}")
        parts = f"regexp_split_to_table({lower}(message), {self._bind(f'{between}+')})"
        return f"EXISTS (SELECT FROM {parts} AS part WHERE part LIKE {lower}({bound}))"

    def column_is(self, name: str, column: str, text: str) -> str:
        indexed = " AND trace_id <> ''" if name == "trace_id" and text else ""
        return f"({column} = {self._bind(text)}{indexed})"

    def key(self, node: OfField) -> str:
        match node:
            case Is(field, text):
                return self._key_is(field.name, text)
            case Like(field, pattern):
                return f"coalesce(zero_value(metadata, {self._bind(field.name)}) LIKE {self._bind(like(pattern))}, false)"
            case Exists(field):
                return f"(metadata ? {self._bind(field.name)})"
            case Between(field, low, high):
                return self._key_between(field.name, low, high)

    def _key_is(self, key: str, text: str) -> str:
        values = [quoted(text)]
        if text in ("true", "false"):
            values.append(text)
        number = parse_number(text)
        if number is not None:
            values.append(json_value(number))
        # The index knows a key together with its value.
        tests = [f"metadata @> {self._bind(f'{{{quoted(key)}:{value}}}', 'jsonb')}" for value in values]
        return any_of(tests)

    def _key_between(self, key: str, low: Bound | None, high: Bound | None) -> str:
        ends = ends_of(low, high)
        name = self._bind(key)
        if isinstance(ends[0][1].value, str):
            tests = [f"metadata ->> {name} {sign} {self._bind(str(end.value))}" for sign, end in ends]
            is_text = f"jsonb_typeof(metadata -> {name}) = 'string'"
            return f"coalesce({is_text} AND {' AND '.join(_bytewise(test) for test in tests)}, false)"
        numbers = [f"zero_number(metadata, {name}) {sign} {self._number(end.value)}" for sign, end in ends]
        return f"coalesce({' AND '.join(numbers)}, false)"

    def _number(self, number: int | float | str) -> str:
        return self._bind(json_value(number), "numeric")


def _bytewise(test: str) -> str:
    left, sign, right = test.rsplit(" ", 2)
    return f'({left}) COLLATE "C" {sign} {right}'


def _regex_part(part: str | Wild, one: str) -> str:
    if isinstance(part, str):
        return _REGEX_SPECIAL.sub(lambda char: f"\\{char[0]}", to_text(part))
    return one + ("*" if part is Wild.ANY else "")
