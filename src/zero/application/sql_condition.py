"""What the conditions of all stores in SQL have in common: the walk over the query tree, columns, and LIKE.

Nothing a user wrote becomes part of the SQL: whatever is not of this text is bound, each store in its own way. Every condition
is true or false, never NULL, so that ``NOT`` of a condition on an absent metadata key is true.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from zero.domain.query import (
    CASELESS_FIELDS,
    TEXT_FIELDS,
    And,
    Between,
    Bound,
    Contains,
    Everything,
    Exists,
    Glob,
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
    TimeBetween,
    Wild,
    fold_case,
)

OfField = Is | Like | Between | Exists
FACET_COLUMNS = {field: field for field in (*TEXT_FIELDS, "level")}
"""Field → column of what values are counted of. Only what comes out of it becomes part of the SQL, never what was asked."""

_LIKE_SPECIAL = re.compile(r"[\\%_]")
_LIKE_WILD = {Wild.ANY: "%", Wild.ONE: "_"}


class SqlCompiler(ABC):
    """Walks a query tree; a store says what its own SQL looks like."""

    true, false = "true", "false"

    def sql(self, node: Node) -> str:
        """Return the condition of a node."""
        match node:
            case Everything():
                return self.true
            case And(children):
                return all_of(self.sql(child) for child in children)
            case Or(children):
                return any_of(self.sql(child) for child in children)
            case Not(child):
                return f"(NOT {self.sql(child)})"
            case LevelIn(levels):
                return f"(level IN ({', '.join(str(int(level)) for level in sorted(levels))}))" if levels else self.false
            case TimeBetween(from_ns, to_ns):
                ends = [self.time(ns, sign) for ns, sign in ((from_ns, ">="), (to_ns, "<")) if ns is not None]
                return all_of(ends) if ends else self.true
            case HasId(batch_id, index):
                return self.identity(batch_id, index)
            case InPattern(pattern_id):
                return self.in_pattern(pattern_id)
            case OfPatterns(pattern_ids):
                return self.of_patterns(sorted(pattern_ids))
            case HasWord(word):
                return self.word(word)
            case Contains(text):
                return self.contains(text)
            case MessageLike(pattern, whole_word):
                return self.message_like(pattern, whole_word)
        return self.key(node) if node.field.is_key else self.column(node)

    def column(self, node: OfField) -> str:
        """Return the condition on a column of text."""
        name = node.field.name
        caseless = name in CASELESS_FIELDS
        column = f"lower({name})" if caseless else name
        fold: Callable[[str], str] = fold_case if caseless else str
        match node:
            case Is(_, text):
                return self.column_is(name, column, fold(text))
            case Like(_, pattern):
                return f"({column} LIKE {self.bind(fold(like(pattern)))})"
            case Exists():
                return f"({name} != '')"
            case Between(_, low, high):
                return all_of(f"{column} {sign} {self.bind(fold(str(end.value)))}" for sign, end in ends_of(low, high))

    def column_is(self, name: str, column: str, text: str) -> str:
        """Return the condition that a column, as ``column`` reads it, is the text."""
        return f"({column} = {self.bind(text)})"

    @abstractmethod
    def bind(self, text: str) -> str:
        """Bind a text; returns what stands for it."""

    @abstractmethod
    def time(self, moment_ns: int, sign: str) -> str:
        """Return the comparison of an entry's time with a moment."""

    @abstractmethod
    def identity(self, batch_id: int, index: int) -> str:
        """Return the condition that it is this entry."""

    @abstractmethod
    def in_pattern(self, pattern_id: int) -> str:
        """Return the condition that an entry is of the pattern's group."""

    @abstractmethod
    def of_patterns(self, pattern_ids: list[int]) -> str:
        """Return the condition that an entry is of one of the patterns."""

    @abstractmethod
    def word(self, word: str) -> str:
        """Return the condition that the message has the word."""

    @abstractmethod
    def contains(self, text: str) -> str:
        """Return the condition that the message has the text."""

    @abstractmethod
    def message_like(self, pattern: Glob, whole_word: bool) -> str:
        """Return the condition that a part, or a whole word, of the message fits the glob."""

    @abstractmethod
    def key(self, node: OfField) -> str:
        """Return the condition on a metadata key."""


def all_of(conditions: Iterable[str]) -> str:
    """Return the condition that all hold."""
    return f"({' AND '.join(conditions)})"


def any_of(conditions: Iterable[str]) -> str:
    """Return the condition that one holds."""
    return f"({' OR '.join(conditions)})"


def ends_of(low: Bound | None, high: Bound | None) -> list[tuple[str, Bound]]:
    """Return the ends of a range that there are, each with what compares it."""
    ends = ((">", low), ("<", high))
    return [(f"{sign}=" if end.inclusive else sign, end) for sign, end in ends if end is not None]


def escape_like(text: str) -> str:
    """Return what LIKE takes for the text itself."""
    return _LIKE_SPECIAL.sub(r"\\\g<0>", text)


def like(pattern: Glob) -> str:
    """Return what LIKE takes for a glob."""
    return "".join(escape_like(part) if isinstance(part, str) else _LIKE_WILD[part] for part in pattern)


def literals(pattern: Glob) -> list[str]:
    """Return what of a glob is text."""
    return [part for part in pattern if isinstance(part, str)]


def folded(pattern: Glob) -> Glob:
    """Return the glob in lower case."""
    return tuple(fold_case(part) if isinstance(part, str) else part for part in pattern)
