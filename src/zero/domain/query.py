"""What a search asks for: a tree of conditions on one entry, independent of query syntax and of the store.

    Node = Everything | And | Or | Not | HasWord | Contains | MessageLike | Is | Like | Between | Exists
         | LevelIn | TimeBetween | HasId | InPattern | OfPatterns

Every condition is true or false for every entry: an absent metadata key makes it false, and ``Not`` of it true.
docs/search.md tells the meaning of each; tests hold an evaluator in plain Python against the store.
"""

from dataclasses import dataclass
from enum import Enum

from zero.domain.entry import Level

TEXT_FIELDS = ("app_id", "source", "environment", "trace_id", "span_id", "user_id")
CASELESS_FIELDS = frozenset({"app_id", "source", "environment"})


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Bounds of one query."""

    text_bytes: int = 4096
    terms: int = 128
    depth: int = 32


class Wild(Enum):
    """A wildcard: any run of characters, or exactly one."""

    ANY = "*"
    ONE = "?"


Glob = tuple[str | Wild, ...]
"""Text with wildcards, in its parts. (A ``Pattern`` is what messages have in common.)"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the entry (one of TEXT_FIELDS), or a metadata key."""

    name: str
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range. A number compares with numbers, a text with texts."""

    value: int | float | str
    inclusive: bool = True


@dataclass(frozen=True, slots=True)
class Everything:
    """True for every entry."""


@dataclass(frozen=True, slots=True)
class And:
    """True when every child is."""

    children: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """True when a child is."""

    children: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """True when the child is not."""

    child: "Node"


@dataclass(frozen=True, slots=True)
class HasWord:
    """The message has this word, in any case; a word is a run of letters, digits, ``_`` and characters outside ASCII."""

    word: str


@dataclass(frozen=True, slots=True)
class Contains:
    """The message contains this text, in any case."""

    text: str


@dataclass(frozen=True, slots=True)
class MessageLike:
    """The message has a word (``whole_word``) or a run of non-blank characters that fits the glob, in any case."""

    pattern: Glob
    whole_word: bool


@dataclass(frozen=True, slots=True)
class Is:
    """The field equals the text; a metadata number or boolean equals its text form."""

    field: Field
    text: str


@dataclass(frozen=True, slots=True)
class Like:
    """The whole value fits the glob."""

    field: Field
    pattern: Glob


@dataclass(frozen=True, slots=True)
class Between:
    """The value lies between the bounds; None leaves that end open."""

    field: Field
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class Exists:
    """The entry has the metadata key, or the field is not empty."""

    field: Field


@dataclass(frozen=True, slots=True)
class LevelIn:
    """The level is one of these."""

    levels: frozenset[Level]


@dataclass(frozen=True, slots=True)
class TimeBetween:
    """The timestamp lies in [``from_ns``, ``to_ns``), Unix nanoseconds; None leaves that end open."""

    from_ns: int | None
    to_ns: int | None


@dataclass(frozen=True, slots=True)
class HasId:
    """The entry is the one with this identity."""

    batch_id: int
    index: int


@dataclass(frozen=True, slots=True)
class InPattern:
    """The entry's pattern is of the group that the pattern with this id belongs to, or is that pattern itself."""

    pattern_id: int


@dataclass(frozen=True, slots=True)
class OfPatterns:
    """The entry's pattern is one of these, whatever their groups."""

    pattern_ids: frozenset[int]


Leaf = HasWord | Contains | MessageLike | Is | Like | Between | Exists | LevelIn | TimeBetween | HasId | InPattern | OfPatterns
Node = Everything | And | Or | Not | Leaf


def fold_case(text: str) -> str:
    """Return the text with ASCII letters lowered: what the store's message index compares."""
    return text.encode().lower().decode()


def has_wide_case(text: str) -> bool:
    """Say whether the text has letters outside ASCII that come in two cases, which ``fold_case`` leaves alone."""
    return not text.isascii() and any(char.lower() != char.upper() for char in text if not char.isascii())
