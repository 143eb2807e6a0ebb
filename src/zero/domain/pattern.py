"""A pattern: what messages have in common once their variable parts are masked."""

import re
from dataclasses import dataclass

WILDCARD = "<*>"
_ID = re.compile(r"[0-9a-fA-F]{1,16}")


@dataclass(frozen=True, slots=True)
class PatternLimits:
    """Bounds of one pattern. Longer texts are kept up to these: a pattern is to be read by people and by models."""

    text_chars: int = 4096
    example_chars: int = 4096


@dataclass(frozen=True, slots=True)
class Pattern:
    """One masked text of one tenant, and the group that it belongs to: what people see as a pattern.

    ``id`` is the 64-bit hash of the masked message; ``first`` the (batch id, index) of the earliest entry, whose message is the
    ``example``. ``group_id`` is the id of the earliest pattern of the group.
    """

    tenant: str
    id: int
    text: str
    example: str
    first: tuple[int, int]
    group_id: int
    group_text: str
    first_seen_ns: int
    last_seen_ns: int
    received_ms: int
    count: int


def format_pattern_id(identity: int) -> str:
    """Return the public form: 16 hex digits."""
    return f"{identity:016x}"


def parse_pattern_id(text: str) -> int:
    """Return the id in its public form; leading zeros may be absent. Raises ValueError."""
    if not _ID.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not the id of a pattern: 16 hex digits")
    return int(text, 16)
