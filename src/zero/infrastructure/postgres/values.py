"""What PostgreSQL cannot hold as it is, in a form that it can, and back.

- Numbers of 64 bits without a sign are moved by 2^63, which keeps their order.
- Texts cannot hold NUL. It becomes four control characters; so do the two characters that this takes. No such group begins
  inside another or across two of them, so a text is part of another exactly when its stored form is part of the other's, and
  none of it is a letter or a digit, so words stay what they are.
- Numbers of ``jsonb`` are decimals: a float is written with a point, an integer without one; ``0.00`` is minus zero.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zero.domain.entry import MetadataValue

_SIGN = 1 << 63
_SPECIAL = re.compile("[\0\1\2]")
_GROUPS = {"\0": "\1\1\1\2", "\1": "\1\1\2\2", "\2": "\1\2\2\2"}
_GROUP = re.compile("\1\1\1\2|\1\1\2\2|\1\2\2\2")
_BACK = {group: char for char, group in _GROUPS.items()}
_MINUS_ZERO = "0.00"
_ESCAPED_LOW = "\\u000"  # how JSON begins to write any of the characters of _SPECIAL


def signed(number: int) -> int:
    """Return what a column holds for a number of 64 bits."""
    return number - _SIGN


def unsigned(number: int) -> int:
    """Return the number that a column holds."""
    return int(number) + _SIGN


def to_text(text: str) -> str:
    """Return the stored form of a text."""
    return _SPECIAL.sub(lambda char: _GROUPS[char[0]], text) if _SPECIAL.search(text) else text


def from_text(text: str) -> str:
    """Return the text of a stored form."""
    return _GROUP.sub(lambda group: _BACK[group[0]], text) if "\1" in text else text


def to_json(metadata: Mapping[str, MetadataValue]) -> str:
    """Return metadata as the JSON of one flat object."""
    return "{" + ",".join([f"{quoted(key)}:{json_value(value)}" for key, value in metadata.items()]) + "}"


def json_value(value: MetadataValue) -> str:
    """Return one value as JSON."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float(value) if isinstance(value, float) else str(value)


_encode = json.JSONEncoder(ensure_ascii=False).encode


def quoted(text: str) -> str:
    """Return a text as JSON of its stored form."""
    found: str = _encode(text)
    return _encode(to_text(text)) if _ESCAPED_LOW in found else found


def _float(value: float) -> str:
    if value == 0:
        return _MINUS_ZERO if str(value)[0] == "-" else "0.0"
    if value.is_integer():
        return f"{int(value)}.0"
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def from_json(text: str) -> dict[str, MetadataValue]:
    """Return the metadata of a stored object."""
    found: dict[str, Any] = json.loads(text, parse_float=_read_float)
    if _ESCAPED_LOW not in text:
        return found
    return {from_text(key): from_text(value) if isinstance(value, str) else value for key, value in found.items()}


def _read_float(text: str) -> float:
    return -0.0 if text == _MINUS_ZERO else float(text)
