"""Query text to query tree, with Lark."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args

from zero.domain.errors import QuerySyntaxError
from zero.domain.query import And, Everything, Glob, Node, Not, Or, QueryLimits, Wild
from zero.domain.query_fields import Ends, Value, range_condition, value_condition
from zero.infrastructure.lucene.grammar import GRAMMAR

_PIECE = re.compile(r"\\(?P<escaped>[^\w\s]|[_ ])|(?P<wild>[*?])|(?P<plain>.)", re.DOTALL)
_PHRASE_ESCAPE = re.compile(r'\\(["\\])')

_QUOTED = re.compile(r'\\.|"(?:[^"\\]|\\.)*"', re.DOTALL)
_BEGIN, _END = r"(?:^|(?<=[\s(:]))", r"(?=[\s)]|$)"
_FOREIGN = (
    # A path has no blank or sign of a regular expression between its only two slashes.
    (re.compile(rf"{_BEGIN}/(?=[^/]*[.*+?()\[\]{{}}|^$])[^/]+/{_END}"), "there are no regular expressions: use * and ?, or OR"),
    (re.compile(rf"{_BEGIN}[^\s():~]*~\d*(?:\.\d+)?{_END}"), "there is no fuzzy search: use wildcards such as conn*"),
    (re.compile(rf"{_BEGIN}[^\s():^]+\^\d+(?:\.\d+)?{_END}"), "there are no boosts: entries come newest first"),
)
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class _Part:
    """A parsed piece whose field is not yet known; ``depth`` and ``terms`` count what lies inside."""

    kind: str
    children: "tuple[_Part, ...]" = ()
    value: Value | Ends | None = None
    name: str | None = None
    position: int = 0
    depth: int = 1
    terms: int = 1


class LuceneParser:
    """Parses the query language of docs/search.md. Safe to share between threads."""

    def __init__(self, limits: QueryLimits | None = None) -> None:
        self._limits = limits or QueryLimits()

    @cached_property
    def _lark(self) -> Lark:
        """The tables of the grammar: a tenth of a second to make, which the start of a process need not wait for."""
        return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=_Assembler(self._limits))

    def parse(self, text: str, now_ns: int) -> Node:
        """Return the tree; blank text asks for everything. ``now_ns`` is what ``now`` and ``-1h`` mean.

        Raises QuerySyntaxError with the 0-based character position.
        """
        self._check_text(text)
        _refuse_foreign(text)
        if not text.strip():
            return Everything()
        try:
            part = self._lark.parse(text)
        except UnexpectedInput as error:
            raise _explain(error, text) from error
        return _resolve(cast(_Part, part), None, now_ns)

    def _check_text(self, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise QuerySyntaxError("this character is half of a surrogate pair", position=error.start) from error
        if size > self._limits.text_bytes:
            message = f"the query has {size} bytes; the limit is {self._limits.text_bytes}"
            raise QuerySyntaxError(message, position=self._limits.text_bytes)


@v_args(inline=True)
class _Assembler(Transformer[Token, _Part]):
    """Builds parts bottom-up, so that no depth of nesting reaches Python's stack, and holds the limits."""

    def __init__(self, limits: QueryLimits) -> None:
        super().__init__()
        self._limits = limits

    def term(self, token: Token) -> _Part:
        value = Value(_pattern(token), quoted=False, position=_start(token))
        return _Part("value", value=value, position=_start(token))

    def quoted(self, token: Token) -> _Part:
        value = Value((_PHRASE_ESCAPE.sub(r"\1", token[1:-1]),), quoted=True, position=_start(token))
        return _Part("value", value=value, position=_start(token))

    def compare(self, operator: Token, part: _Part) -> _Part:
        end, inclusive = _end(part), operator.endswith("=")
        low, high = (end, None) if operator.startswith(">") else (None, end)
        return _Part("range", value=Ends(low, high, inclusive, inclusive, _start(operator)), position=_start(operator))

    def range(self, opened: Token, low: _Part, high: _Part, closed: Token) -> _Part:
        ends = Ends(_end(low), _end(high), opened == "[", closed == "]", _start(opened))
        return _Part("range", value=ends, position=_start(opened))

    def field(self, name: Token, part: _Part) -> _Part:
        return self._join("field", (part,), name=_unescape(name[:-1]), position=_start(name))

    def group(self, part: _Part) -> _Part:
        return self._join("group", (part,))

    def none_of(self, part: _Part) -> _Part:
        return self._join("not", (part,))

    def all_of(self, *parts: _Part) -> _Part:
        return self._join("and", parts)

    def any_of(self, *parts: _Part) -> _Part:
        return self._join("or", parts)

    def _join(self, kind: str, parts: tuple[_Part, ...], name: str | None = None, position: int | None = None) -> _Part:
        depth, terms = 1 + max(part.depth for part in parts), sum(part.terms for part in parts)
        position = parts[0].position if position is None else position
        if depth > self._limits.depth:
            raise QuerySyntaxError(f"nested deeper than {self._limits.depth}", position=position)
        if terms > self._limits.terms:
            raise QuerySyntaxError(f"more than {self._limits.terms} terms", position=parts[-1].position)
        return _Part(kind, parts, name=name, position=position, depth=depth, terms=terms)


def _refuse_foreign(text: str) -> None:
    """Refuse what Lucene has and we have not. Taken as text it would find nothing, and say nothing."""
    bare = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), text)
    for pattern, instead in _FOREIGN:
        found = pattern.search(bare)
        if found:
            shown = text[found.start() : found.end()]
            shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
            raise QuerySyntaxError(f"{instead}; to search for the text {shown}, put it in quotes", position=found.start())


def _resolve(part: _Part, name: str | None, now_ns: int) -> Node:
    if isinstance(part.value, Value):
        return value_condition(name, part.value, now_ns)
    if isinstance(part.value, Ends):
        return range_condition(name, part.value, now_ns)
    children = tuple(_resolve(child, part.name or name, now_ns) for child in part.children)
    match part.kind:
        case "not":
            return Not(children[0])
        case "and":
            return And(children)
        case "or":
            return Or(children)
    return children[0]


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(part: _Part) -> Value | None:
    """Return the end of a range; a lone ``*`` is an open end, any other wildcard stands for itself."""
    value = part.value
    assert isinstance(value, Value)  # noqa: S101 - the grammar allows nothing else here
    return None if value.pattern == (Wild.ANY,) else value


def _pattern(text: str) -> Glob:
    parts: list[str | Wild] = []
    for piece in _PIECE.finditer(text):
        wild, plain = piece["wild"], piece["escaped"] or piece["plain"]
        if wild:
            parts.append(Wild(wild))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += plain
        else:
            parts.append(plain)
    return tuple(parts)


def _unescape(text: str) -> str:
    return "".join(piece["escaped"] or piece["wild"] or piece["plain"] for piece in _PIECE.finditer(text))


def _explain(error: UnexpectedInput, text: str) -> QuerySyntaxError:
    if isinstance(error, UnexpectedToken):
        expected = error.expected
        ended = error.token.type == "$END"
        position = len(text) if ended else _start(error.token)
        if expected & {"_TO", "RANGE_TERM", "RANGE_CLOSE"}:
            return QuerySyntaxError("a range is written [400 TO 499], with * for an open end", position=position)
        if not ended:
            return QuerySyntaxError(_misplaced(error.token), position=position)
        return QuerySyntaxError(_unfinished(expected), position=position)
    position = error.pos_in_stream or 0
    if text[position : position + 1] == '"':
        return QuerySyntaxError("the quote opened here is not closed", position=position)
    return QuerySyntaxError(f"unexpected {text[position : position + 1]!r}", position=position)


def _unfinished(expected: set[str]) -> str:
    if "_RPAR" in expected:
        return "a closing parenthesis is missing"
    if "FIELD" in expected:
        return "something to search for is missing at the end"
    return "a value is missing after the field; quote the text to search for it with its colon"


def _misplaced(token: Token) -> str:
    if token.type == "_RPAR":
        return "this closing parenthesis has nothing before it, or no opening one"
    return f"{str(token)!r} cannot stand here; quote it to search for the text"
