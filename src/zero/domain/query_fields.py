"""The names a query may use, and what a value means for each of them."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from zero.domain.entry import Level, parse_entry_id
from zero.domain.errors import QuerySyntaxError
from zero.domain.instant import parse_instant
from zero.domain.pattern import parse_pattern_id
from zero.domain.query import (
    TEXT_FIELDS,
    And,
    Between,
    Bound,
    Contains,
    Everything,
    Exists,
    Field,
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
    Or,
    TimeBetween,
    Wild,
)

HostCondition = Callable[[Field], Node]
ALIASES = {
    "app": "app_id", "service": "app_id", "service.name": "app_id", "env": "environment", "severity": "level",
    "lvl": "level", "msg": "message", "time": "timestamp", "ts": "timestamp", "@timestamp": "timestamp",
}  # fmt: skip
LEVEL_ALIASES = {
    "WARNING": Level.WARN, "ERR": Level.ERROR, "CRITICAL": Level.FATAL, "CRIT": Level.FATAL, "EMERG": Level.FATAL,
    "ALERT": Level.FATAL, "PANIC": Level.FATAL, "NOTICE": Level.INFO, "INFORMATION": Level.INFO, "VERBOSE": Level.DEBUG,
    "SEVERE": Level.ERROR,
}  # fmt: skip
QUERY_FIELDS = (
    "app_id", "level", "message", "source", "environment", "trace_id", "span_id", "user_id", "timestamp", "id", "pattern_id",
)  # fmt: skip
"""The fields of an entry that a query may name, those asked for most first."""
_ALWAYS_THERE = ("message", "timestamp", "level", "id", "pattern_id")
METADATA_PREFIX = "metadata."
HOST = "host"
"""No field: the metadata key, or the source of an entry without it."""
_NO_TEXT = (*_ALWAYS_THERE, "_exists_")
_LEVELS = {**{level.name: level for level in Level}, **LEVEL_ALIASES}
_WORD = re.compile(r"[^\W_]+")
_WORD_LIKE = re.compile(r"[\w]*")
_ID = re.compile(r"[0-9a-fA-F]{24}")
_OF_THE_STORE = re.compile(r"\.:`|(?:^|\.)\^`")
"""What the store reads as a type, or as all below a key, whatever the quoting."""
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written: its parts, whether it was quoted, and its 0-based character offset in the query."""

    pattern: Glob
    quoted: bool
    position: int

    @property
    def text(self) -> str:
        """The value as text, wildcards as written."""
        return "".join(part if isinstance(part, str) else part.value for part in self.pattern)

    @property
    def is_wild(self) -> bool:
        """Whether it holds a wildcard."""
        return any(isinstance(part, Wild) for part in self.pattern)


@dataclass(frozen=True, slots=True)
class Ends:
    """A range as written; None is an open end."""

    low: Value | None
    high: Value | None
    low_inclusive: bool
    high_inclusive: bool
    position: int


def parse_level(text: str) -> Level:
    """Return the level with this name or usual alias, any case. Raises ValueError that names the levels."""
    level = _LEVELS.get(text.upper())
    if level is None:
        raise ValueError(f"{text!r} is not a level: {' '.join(level.name for level in Level)}")
    return level


def parse_number(text: str) -> int | float | None:
    """Return the finite number written in the text, exact for integers, or None."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def value_condition(name: str | None, value: Value, now_ns: int) -> Node:
    """Return what ``name:value`` asks for; without a name it is the message. Raises QuerySyntaxError at the value."""
    name = _canonical(name, value.position)
    if name == "_exists_":
        return _exists(value, now_ns)
    if name == "message":
        return _message(value)
    if name == "level":
        return _level_is(value)
    if name == "timestamp":
        instant = _instant(value, now_ns)
        return TimeBetween(instant, instant + 1)
    if name == "id":
        return _id(value)
    if name == "pattern_id":
        return _pattern(value)
    if name == HOST:
        return _host(lambda field: _field_is(field, value))
    return _field_is(_field(name, value.position), value)


def field_named(name: str) -> Field | None:
    """Return the field or metadata key that a query means by the name, None where it has no texts. Raises QuerySyntaxError."""
    canonical = _canonical(name, 0)
    return None if canonical in _NO_TEXT else _field(canonical, 0)


def key_name(key: str) -> str:
    """Return how a query names the metadata key: told from what else it would mean by that name."""
    taken = key in QUERY_FIELDS or key in ALIASES or key == "_exists_" or key.startswith(METADATA_PREFIX)
    return METADATA_PREFIX + key if taken else key


def range_condition(name: str | None, ends: Ends, now_ns: int) -> Node:
    """Return what ``name:[a TO b]`` or ``name:>=a`` asks for. Raises QuerySyntaxError at the range."""
    name = _canonical(name, ends.position)
    if name in ("message", "id", "pattern_id"):
        raise QuerySyntaxError(f"{name} has no order: a range needs a level, a timestamp, or a field", position=ends.position)
    if name == "level":
        return LevelIn(frozenset(_levels_between(ends)))
    if name == "timestamp":
        low = _instant(ends.low, now_ns) + (not ends.low_inclusive) if ends.low else None
        high = _instant(ends.high, now_ns) + ends.high_inclusive if ends.high else None
        return TimeBetween(low, high)
    if name == HOST:
        return _host(lambda field: _between(field, ends))
    return _between(_field(name, ends.position), ends)


def _canonical(name: str | None, position: int) -> str:
    if name is None:
        return "message"
    if not name.removeprefix(METADATA_PREFIX):
        raise QuerySyntaxError("a metadata key is missing after 'metadata.'", position=position)
    return ALIASES.get(name, name)


def _field(name: str, position: int) -> Field:
    if name in TEXT_FIELDS:
        return Field(name)
    key = name.removeprefix(METADATA_PREFIX)
    if _OF_THE_STORE.search(key):
        raise QuerySyntaxError(
            "a metadata key with '.:`' or '.^`' in it, or '^`' in front, cannot be searched", position=position
        )
    return Field(key, is_key=True)


def _message(value: Value) -> Node:
    text = value.text
    if value.is_wild:
        if all(part is Wild.ANY for part in value.pattern):
            return Everything()
        return MessageLike(value.pattern, whole_word=all(_is_wordlike(part) for part in value.pattern))
    if not text:
        return Everything()
    if not value.quoted and _WORD.fullmatch(text):
        return HasWord(text)
    return Contains(text)


def _is_wordlike(part: str | Wild) -> bool:
    return isinstance(part, Wild) or _WORD_LIKE.fullmatch(part) is not None


def _field_is(field: Field, value: Value) -> Node:
    if not value.is_wild:
        return Is(field, value.text)
    if value.pattern == (Wild.ANY,):
        return Exists(field)
    return Like(field, value.pattern)


def _exists(value: Value, now_ns: int) -> Node:
    """Return the condition that an entry has the field that the value names: what ``field:*`` asks for, in Lucene's words."""
    if value.is_wild or value.text in ("", "_exists_"):
        raise QuerySyntaxError("_exists_: takes the name of one field", position=value.position)
    if _canonical(value.text, value.position) in _ALWAYS_THERE:
        return Everything()
    return value_condition(value.text, Value((Wild.ANY,), quoted=False, position=value.position), now_ns)


def _host(condition: HostCondition) -> Node:
    """Return the condition on the metadata key ``host``, or on ``source`` for an entry without that key."""
    key = Field(HOST, is_key=True)
    return Or((condition(key), And((Not(Exists(key)), condition(Field("source"))))))


def _level_is(value: Value) -> Node:
    if value.is_wild:
        return LevelIn(frozenset(level for level in Level if fnmatchcase(level.name, value.text.upper())))
    return LevelIn(frozenset((_level(value),)))


def _levels_between(ends: Ends) -> Iterable[Level]:
    low = _level(ends.low) + (not ends.low_inclusive) if ends.low else Level.TRACE
    high = _level(ends.high) - (not ends.high_inclusive) if ends.high else Level.FATAL
    return (level for level in Level if low <= level <= high)


def _between(field: Field, ends: Ends) -> Node:
    low, high = _bound(ends.low, ends.low_inclusive), _bound(ends.high, ends.high_inclusive)
    if low is None and high is None:
        return Exists(field)
    if not field.is_key or any(bound and isinstance(bound.value, str) for bound in (low, high)):
        low, high = _text_bound(ends.low, ends.low_inclusive), _text_bound(ends.high, ends.high_inclusive)
    return Between(field, low, high)


def _bound(value: Value | None, inclusive: bool) -> Bound | None:
    if value is None:
        return None
    number = None if value.quoted else parse_number(value.text)
    return Bound(value.text if number is None else number, inclusive)


def _text_bound(value: Value | None, inclusive: bool) -> Bound | None:
    return None if value is None else Bound(value.text, inclusive)


def _level(value: Value) -> Level:
    try:
        return parse_level(value.text)
    except ValueError as error:
        raise QuerySyntaxError(str(error), position=value.position, field="level") from error


def _instant(value: Value, now_ns: int) -> int:
    try:
        return parse_instant(value.text, now_ns)
    except ValueError as error:
        raise QuerySyntaxError(str(error), position=value.position, field="timestamp") from error


def _id(value: Value) -> Node:
    if not _ID.fullmatch(value.text):
        raise QuerySyntaxError("an id has 24 hex digits", position=value.position, field="id")
    return HasId(*parse_entry_id(value.text))


def _pattern(value: Value) -> Node:
    if value.pattern == (Wild.ANY,):
        return Everything()
    try:
        return InPattern(parse_pattern_id(value.text))
    except ValueError as error:
        raise QuerySyntaxError(str(error), position=value.position, field="pattern_id") from error
