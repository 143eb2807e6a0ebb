"""Metadata as the door takes it: a copy in JSON's own types, bounded in keys, sizes and work; what is cut says so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Callable

KEYS_MAX = 112
"""Of the door's 128: where an entry was logged takes some."""
KEY_BYTES_MAX = 128
VALUE_BYTES_MAX = 16 * 1024
NODES_MAX = 10_000
"""What is looked at of one entry: its caller waits meanwhile."""
DEPTH_MAX = 16
STACK_CHARACTERS_MAX = 12_000
LEFT_OUT = "fields_left_out"
_INTEGER_BITS_MAX = 2048
_SHORT_CHARACTERS = VALUE_BYTES_MAX // 4
_NAME_BYTES_MIN = 8
_ESCAPED_BYTES_MAX = 6
_NUMBER_BYTES_MAX = 26
_CUT = "…"
_SHORT_NAME = KEY_BYTES_MAX // 4
_BIG = 1 << 64
_UNCHANGED = frozenset((bool, type(None)))
_NOT_KEYED = frozenset((int, float, list, tuple))

quoted: Callable[[str], str] = json.encoder.encode_basestring
"""A text as JSON, not only in ASCII."""
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def metadata_of(fields: Mapping[str, Any]) -> str:
    """Return fields as the inside of a JSON object, '' when there are none; they may change afterwards."""
    try:
        return _encode(fields if _is_small(fields) else _Copy().whole(fields))[1:-1]
    except Exception as error:
        return f'"unreadable_fields":{quoted(str(error))}'


def shortened(stack: str) -> str:
    """Return a stack trace that the door takes, with what is left out in the middle said."""
    if len(stack) <= STACK_CHARACTERS_MAX and len(stack.encode("utf-8", "replace")) <= STACK_CHARACTERS_MAX:
        return stack
    half = STACK_CHARACTERS_MAX // 2 if stack.isascii() else STACK_CHARACTERS_MAX // 8
    return f"{stack[:half]}\n… {len(stack) - 2 * half:,} characters left out …\n{stack[-half:]}"


def _is_small(fields: Mapping[str, Any]) -> bool:
    """Say whether there is nothing to cut and nothing that can change, at a glance."""
    if len(fields) > KEYS_MAX or type(fields) is not dict:
        return False
    for name, value in fields.items():
        kind = type(value)
        if not (
            kind in _UNCHANGED or (kind is str and len(value) <= _SHORT_CHARACTERS) or (kind is int and -_BIG < value < _BIG)
        ):
            return False
        if type(name) is not str or not 0 < len(name) <= _SHORT_NAME:
            return False
    return True


class _Copy:
    """Copies the fields of one entry. An object becomes keys with dots at the door, and a list one text."""

    __slots__ = ("_around", "_characters", "_keys", "_left_out", "_nodes")

    def __init__(self) -> None:
        self._keys = KEYS_MAX
        self._nodes = NODES_MAX
        self._characters = VALUE_BYTES_MAX
        self._left_out = 0
        self._around: set[int] = set()

    def whole(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        made = self._members(fields, 0, 0)
        if self._left_out:
            made[LEFT_OUT] = self._left_out
        return made

    def _members(self, fields: Mapping[Any, Any], path_bytes: int, reserved: int) -> dict[str, Any]:
        """Copy an object whose keys the door joins to a path of so many bytes; so many keys are for what comes after it."""
        made: dict[str, Any] = {}
        room = KEY_BYTES_MAX - path_bytes
        members = list(islice(fields.items(), KEYS_MAX))
        self._left_out += len(fields) - len(members)
        self._around.add(id(fields))
        for after, (name, value) in zip(range(len(members) - 1, -1, -1), members):
            key = name if type(name) is str else _text(name)
            if not key or len(key) * 4 > room:
                key = _key(key, room)
            kind = type(value)
            if self._keys <= reserved or key in made:
                self._left_out += 1
            elif kind is str:
                self._keys -= 1
                made[key] = value if len(value) <= _SHORT_CHARACTERS else _cut(value)
            elif kind in _UNCHANGED or (kind is int and -_BIG < value < _BIG):
                self._keys -= 1
                made[key] = value
            else:
                made[key] = self._member(value, path_bytes + len(key.encode("utf-8", "replace")) + 1, reserved + after)
        self._around.discard(id(fields))
        return made

    def _member(self, value: Any, path_bytes: int, reserved: int) -> Any:
        """Copy what is no text."""
        try:
            if type(value) is dict or (type(value) not in _NOT_KEYED and isinstance(value, Mapping)):
                self._nodes -= 1
                if id(value) not in self._around and len(self._around) <= DEPTH_MAX and self._nodes > 0:
                    named = KEY_BYTES_MAX - path_bytes >= _NAME_BYTES_MIN
                    return self._members(value, path_bytes, reserved) if named else _CUT
            self._keys -= 1
            self._characters, nodes = VALUE_BYTES_MAX, self._nodes
            made = self._plain(value)
        except Exception:
            return f"(a {type(value).__name__} that cannot be shown)"
        if type(made) is list:
            used = VALUE_BYTES_MAX - self._characters
            if used * _ESCAPED_BYTES_MAX + (nodes - self._nodes) * _NUMBER_BYTES_MAX > VALUE_BYTES_MAX:
                text = _encode(made)
                return made if _cut(text) is text else shortened(text)
        return made

    def _plain(self, value: Any) -> Any:
        """Copy a value for as long as it fits."""
        self._nodes -= 1
        self._characters -= 2
        kind = type(value)
        if kind is str:
            return self._string(value)
        if kind in _UNCHANGED:
            return value
        if kind is int:
            self._characters -= value.bit_length() // 4
            return value if value.bit_length() <= _INTEGER_BITS_MAX else _huge(value)
        if kind is float:
            return value if value - value == 0 else str(value)
        if kind is list or isinstance(value, (list, tuple, set, frozenset, Mapping)):
            return self._container(value)
        return self._string(_text(value))

    def _string(self, text: str) -> str:
        text = text if len(text) <= _SHORT_CHARACTERS else _cut(text)
        self._characters -= len(text)
        return text

    def _container(self, value: Any) -> Any:
        if id(value) in self._around:
            return f"(the same {type(value).__name__} again)"
        if len(self._around) > DEPTH_MAX or self._nodes <= 0 or self._characters <= 0:
            return _CUT
        keyed = type(value) is not list and isinstance(value, Mapping)
        try:
            parts: list[Any] = list(islice(value.items() if keyed else value, self._nodes))
        except Exception:  # another thread changes it
            return f"(a {type(value).__name__} that cannot be shown)"
        self._around.add(id(value))
        made: Any
        if keyed:
            made = {}
            for name, each in parts:
                key = _key(_text(name), KEY_BYTES_MAX)
                self._characters -= len(key)
                made[key] = self._plain(each)
                if self._nodes <= 0 or self._characters <= 0:
                    made[_CUT] = _CUT
                    break
        else:
            made = []
            for each in parts:
                if type(each) is int and -_BIG < each < _BIG:
                    self._nodes -= 1
                    self._characters -= 2
                    made.append(each)
                else:
                    made.append(self._plain(each))
                if self._nodes <= 0 or self._characters <= 0:
                    made.append(_CUT)
                    break
        self._around.discard(id(value))
        return made


def _text(value: Any) -> str:
    kind = type(value)
    try:
        if isinstance(value, (bytes, bytearray)):
            if len(value) <= VALUE_BYTES_MAX:
                return bytes(value).decode("utf-8", "replace")
            half = STACK_CHARACTERS_MAX // 8
            ends = (bytes(part).decode("utf-8", "replace") for part in (value[:half], value[-half:]))
            return f"\n… {len(value) - 2 * half:,} bytes left out …\n".join(ends)
        return str(value)
    except Exception:
        return f"(a {kind.__name__} that cannot be shown)"


def _cut(text: str) -> str:
    """Return the text itself if the door takes it as a value, else its ends."""
    if len(text) <= VALUE_BYTES_MAX and len(text.encode("utf-8", "replace")) <= VALUE_BYTES_MAX:
        return text
    return shortened(text)


def _key(key: str, room: int) -> str:
    data = (key or "(empty)")[: room + 1].encode("utf-8", "replace")
    if len(data) <= room:
        return key or "(empty)"
    return data[: room - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def _huge(number: int) -> str:
    sign, size = "-" if number < 0 else "", abs(number)
    return f"{sign}0x{size >> (size.bit_length() - 64):x}… (an integer of {size.bit_length():,} bits)"
