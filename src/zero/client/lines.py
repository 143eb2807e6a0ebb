"""Entries as lines of NDJSON. What may change later is read on the thread that logs; the rest when the line is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

MESSAGE_BYTES_MAX = 256 * 1024
DEPTH_MAX = 16
STACK_CHARACTERS_MAX = 12_000
EMPTY = "(empty)"
_SITES_MAX = 4096
_SAFE = frozenset((str, int, bool, type(None)))
FIELDS = {"trace_id": 64, "span_id": 32, "user_id": 128, "environment": 64}
"""Keys of ``extra`` and the like that are fields of the entry, not metadata, while they have at most so many bytes."""

quoted: Callable[[str], str] = json.encoder.encode_basestring
"""A text as JSON, not only in ASCII."""
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class TooLarge(ValueError):
    """An entry that the door would refuse for its size alone."""


class Site(NamedTuple):
    """Where a record was logged; few enough that their JSON is kept."""

    level: int
    logger: str
    file: str
    line: int
    function: str | None
    thread: str | None
    process: int | None
    task: str | None = None


Item = tuple[float, str, str, Optional[tuple[int, int]], tuple[Any, ...]]
"""(seconds since 1970, message, JSON of metadata beyond the site's or '', (trace id, span id) or None, what makes a Site)."""


def plain(value: Any, depth: int = 0) -> Any:
    """Return a copy of a value in JSON's own types, as it is now: nothing of it changes when the application goes on."""
    kind = type(value)
    if kind in _SAFE:
        return value
    if kind is float:
        return value if value - value == 0 else str(value)
    if depth >= DEPTH_MAX:
        return "…"
    try:
        if isinstance(value, Mapping):
            return {str(key): plain(each, depth + 1) for key, each in list(value.items())}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [plain(each, depth + 1) for each in list(value)]
        if isinstance(value, (bytes, bytearray)):
            return bytes(value).decode("utf-8", "replace")
        return str(value)
    except Exception:
        return f"(a {kind.__name__} that cannot be shown)"


def metadata_of(fields: Mapping[str, Any]) -> str:
    """Return fields as the inside of a JSON object, '' when there are none."""
    try:
        return _encode(plain(fields))[1:-1]
    except (ValueError, RecursionError, TypeError) as error:
        return f'"unreadable_fields":{quoted(str(error))}'


def level_name(number: int | None) -> str:
    """Return our level for one of logging's numbers."""
    if number is None:
        return "INFO"
    if number >= 40:
        return "ERROR" if number < 50 else "FATAL"
    if number >= 20:
        return "INFO" if number < 30 else "WARN"
    return "DEBUG" if number >= 10 else "TRACE"


def shortened(stack: str) -> str:
    """Return a stack trace that the door takes, with what is left out in the middle said."""
    if len(stack) <= STACK_CHARACTERS_MAX and len(stack.encode("utf-8", "replace")) <= STACK_CHARACTERS_MAX:
        return stack
    half = STACK_CHARACTERS_MAX // 2 if stack.isascii() else STACK_CHARACTERS_MAX // 8
    return f"{stack[:half]}\n… {len(stack) - 2 * half:,} characters left out …\n{stack[-half:]}"


class Lines:
    """Makes lines that have some fields in common."""

    def __init__(self, **common: str) -> None:
        self._common = "".join(f",{quoted(name)}:{quoted(value)}" for name, value in common.items() if value)
        self._sites: dict[tuple[Any, ...], tuple[str, str]] = {}

    def entry(self, message: str, level: str, timestamp_ns: int, fields: Mapping[str, Any]) -> str:
        """Return the line of an entry; ``fields`` are its metadata, but for those that are fields of an entry."""
        known = {name: str(fields[name]) for name, size in FIELDS.items() if _fits(fields.get(name), size)}
        rest = {name: value for name, value in fields.items() if name not in known}
        own = "".join(f",{quoted(name)}:{quoted(value)}" for name, value in known.items())
        more = f',"metadata":{{{metadata_of(rest)}}}' if rest else ""
        text = quoted(_sized(message) or EMPTY)
        return f'{{"timestamp":{timestamp_ns},"level":{quoted(level)},"message":{text}{self._common}{own}{more}}}'

    def record(self, item: Item) -> str:
        """Return the line of an item. Raises TooLarge."""
        created, message, more, span, site = item
        head, own = self._sites.get(site) or self._site(site)
        if span is not None:
            head = f'{head},"trace_id":"{span[0]:032x}","span_id":"{span[1]:016x}"'
        text = quoted(_sized(message) or EMPTY)
        inside = f"{own},{more}" if more else own
        return f'{{"timestamp":{int(created * 1e6)}000,"message":{text}{head}{inside}}}}}'

    def _site(self, key: tuple[Any, ...]) -> tuple[str, str]:
        if len(self._sites) >= _SITES_MAX:
            self._sites.clear()
        site = Site(*key)
        known = {name: value for name, value in site._asdict().items() if name != "level" and value is not None}
        made = (
            f',"level":"{level_name(site.level)}"{self._common}',
            f',"metadata":{{{metadata_of(known)}',
        )
        self._sites[key] = made
        return made


def _fits(value: Any, size: int) -> bool:
    usable = isinstance(value, (str, int)) and not isinstance(value, bool)
    return usable and 0 < len(str(value).encode("utf-8", "replace")) <= size


def _sized(message: str) -> str:
    if len(message) > MESSAGE_BYTES_MAX // 4 and len(message.encode("utf-8", "replace")) > MESSAGE_BYTES_MAX:
        raise TooLarge(f"a message of {len(message):,} characters is larger than {MESSAGE_BYTES_MAX:,} bytes")
    return message
