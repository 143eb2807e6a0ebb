"""Queries answered by reading: says for one entry whether a query tree is true. The oracle of every compiler."""

import re

from zero.domain.entry import LogEntry, MetadataValue
from zero.domain.query import (
    CASELESS_FIELDS,
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
    OfPatterns,
    Or,
    TimeBetween,
    Wild,
    fold_case,
    has_wide_case,
)
from zero.domain.query_fields import parse_number
from zero.domain.stored import StoredEntry

_WORD_CHAR = "[0-9A-Za-z_\x80-\U0010ffff]"
_NON_BLANK = r"[^ \t\n\v\f\r]"


def message_id(message: str) -> int:
    """Return the pattern of a message in memory: each message is one of its own."""
    return int.from_bytes(message.encode()[:8].ljust(8, b"\0"), "big") ^ len(message)


def matches(node: Node, stored: StoredEntry) -> bool:
    """Say whether the entry is what the query asks for."""
    match node:
        case Everything():
            return True
        case And(children):
            return all(matches(child, stored) for child in children)
        case Or(children):
            return any(matches(child, stored) for child in children)
        case Not(child):
            return not matches(child, stored)
        case LevelIn(levels):
            return stored.entry.level in levels
        case TimeBetween(from_ns, to_ns):
            timestamp_ns = stored.entry.timestamp_ns
            return (from_ns is None or timestamp_ns >= from_ns) and (to_ns is None or timestamp_ns < to_ns)
        case HasId(batch_id, index):
            return (stored.batch_id, stored.index) == (batch_id, index)
        case InPattern(pattern_id):
            return message_id(stored.entry.message) == pattern_id
        case OfPatterns(pattern_ids):
            return message_id(stored.entry.message) in pattern_ids
        case HasWord() | Contains() | MessageLike():
            return _message_matches(node, stored.entry.message)
    return _field_matches(node, stored.entry)


def _message_matches(node: HasWord | Contains | MessageLike, message: str) -> bool:
    match node:
        case HasWord(word):
            message, word = _folded(message, word, word)
            return word in re.findall(f"{_WORD_CHAR}+", message)
        case Contains(text):
            message, text = _folded(message, text, text)
            return text in message
        case MessageLike(pattern, whole_word):
            literals = "".join(part for part in pattern if isinstance(part, str))
            regex = _regex(pattern, _WORD_CHAR if whole_word else _NON_BLANK)
            if whole_word:
                regex = f"(?<!{_WORD_CHAR}){regex}(?!{_WORD_CHAR})"
            message, regex = _folded(message, regex, literals)
            return re.search(regex, message) is not None


def _field_matches(node: Is | Like | Between | Exists, entry: LogEntry) -> bool:
    field = node.field
    value = entry.metadata.get(field.name) if field.is_key else str(getattr(entry, field.name))
    if value is None:
        return False
    match node:
        case Exists():
            return field.is_key or value != ""
        case Is(_, text):
            return _equal(value, text) if field.is_key else _fold(field, str(value)) == _fold(field, text)
        case Like(_, pattern):
            folded = tuple(_fold(field, part) if isinstance(part, str) else part for part in pattern)
            return re.fullmatch(_regex(folded, "."), _fold(field, _as_text(value)), re.DOTALL) is not None
        case Between(_, low, high):
            return _between(_fold(field, value) if isinstance(value, str) else value, _bound(field, low), _bound(field, high))


def _equal(value: MetadataValue, text: str) -> bool:
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return text == _as_text(value)
    return parse_number(text) == value


def _between(value: MetadataValue, low: Bound | None, high: Bound | None) -> bool:
    ends = [end for end in (low, high) if end]
    if isinstance(value, bool):
        return False
    if isinstance(ends[0].value, str):
        return isinstance(value, str) and all(_beyond(value.encode(), end, end is low) for end in ends)
    number = parse_number(value) if isinstance(value, str) else value
    if isinstance(value, str) and number is not None:
        number = float(number)
    return number is not None and all(_beyond(number, end, end is low) for end in ends)


def _beyond(value: int | float | bytes, end: Bound, is_low: bool) -> bool:
    limit = end.value.encode() if isinstance(end.value, str) else end.value
    if value == limit:
        return end.inclusive
    return bool(value > limit) is is_low  # type: ignore[operator]


def _bound(field: Field, end: Bound | None) -> Bound | None:
    return Bound(_fold(field, end.value), end.inclusive) if end and isinstance(end.value, str) else end


def _fold(field: Field, text: str) -> str:
    return fold_case(text) if not field.is_key and field.name in CASELESS_FIELDS else text


def _folded(message: str, text: str, sample: str) -> tuple[str, str]:
    return (message.lower(), text.lower()) if has_wide_case(sample) else (fold_case(message), fold_case(text))


def _regex(pattern: Glob, one: str) -> str:
    pieces = {Wild.ANY: f"{one}*", Wild.ONE: one}
    return "".join(re.escape(part) if isinstance(part, str) else pieces[part] for part in pattern)


def _as_text(value: MetadataValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
