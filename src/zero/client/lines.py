"""Entries as lines of NDJSON. What may change later is read on the thread that logs; the rest when the line is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from zero.client.metadata import metadata_of, quoted

MESSAGE_BYTES_MAX = 256 * 1024
EMPTY = "(empty)"
_SITES_MAX = 4096
FIELDS = {"trace_id": 64, "span_id": 32, "user_id": 128, "environment": 64}
"""Keys of ``extra`` and the like that are fields of the entry, not metadata, while they have at most so many bytes."""


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


def level_name(number: int | None) -> str:
    """Return our level for one of logging's numbers."""
    if number is None:
        return "INFO"
    if number >= 40:
        return "ERROR" if number < 50 else "FATAL"
    if number >= 20:
        return "INFO" if number < 30 else "WARN"
    return "DEBUG" if number >= 10 else "TRACE"


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
    if isinstance(value, int):
        return not isinstance(value, bool) and value.bit_length() <= 3 * size  # so that it has no more digits than bytes fit
    return isinstance(value, str) and 0 < len(value) <= size and len(value.encode("utf-8", "replace")) <= size


def _sized(message: str) -> str:
    if len(message) > MESSAGE_BYTES_MAX // 4 and len(message.encode("utf-8", "replace")) > MESSAGE_BYTES_MAX:
        raise TooLarge(f"a message of {len(message):,} characters is larger than {MESSAGE_BYTES_MAX:,} bytes")
    return message
