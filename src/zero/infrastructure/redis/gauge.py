"""How full a server is, and whether it takes more."""

import asyncio
from collections.abc import Mapping
from typing import Any

from zero.infrastructure.redis.failures import full
from zero.infrastructure.redis.link import Link
from zero.infrastructure.redis.options import RedisOptions

_INTERVAL_SECONDS = 0.25
_ROOM_BYTES = 1024 * 1024
"""With less room than this it looks ten times as often."""
_ENTRY_BYTES = 128
"""About what a stream entry takes beside its frame, and a quarter of the frame for the allocator."""
_INFO_MEMORY = b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n"


class Gauge:
    """The level of one server, asked for at most four times a second, while appends arrive and while it refuses.

    Above the high-water mark it refuses until the level is below the low-water mark. Between two looks it lets pass what had
    room below the high-water mark at the last one. Should others fill the server meanwhile, it refuses itself (OOM), which
    counts as full too. While it refuses it looks by itself, so that the first append after the end of that is taken.
    """

    def __init__(self, options: RedisOptions) -> None:
        self._high = options.high_water
        self._low = options.low_water
        self._asked_at = float("-inf")
        self._room = float("inf")
        self._refusal = ""
        self._again: asyncio.TimerHandle | None = None

    def admit(self, size_bytes: int) -> None:
        """Count a frame that is about to be sent. Raises Overloaded while the server is full."""
        cost = size_bytes + size_bytes // 4 + _ENTRY_BYTES
        if self._refusal:
            raise full(self._refusal)
        if cost > self._room:
            raise full("no room below the high-water mark at the last look")
        self._room -= cost

    def refresh(self, link: Link, now: float) -> None:
        """Ask for the level without waiting for it, unless it was asked for just now."""
        if now - self._asked_at >= (_INTERVAL_SECONDS if self._room > _ROOM_BYTES else _INTERVAL_SECONDS / 10):
            self._asked_at = now
            link.call((_INFO_MEMORY,), 1).add_done_callback(lambda future: self._answered(future, link))

    def out_of_memory(self, link: Link | None) -> None:
        """Take note that the server refused for want of memory."""
        self._refusal = "the server is out of memory (OOM)"
        if link is not None:
            self._look_again(link)

    def _look_again(self, link: Link) -> None:
        """Ask again after a while, once for all who want that; a closed connection is the end of it."""
        if self._again is not None or not link.open:
            return
        loop = asyncio.get_running_loop()

        def look() -> None:
            self._again = None
            self.refresh(link, loop.time())

        self._again = loop.call_later(_INTERVAL_SECONDS, look)

    def _answered(self, future: "asyncio.Future[list[Any]]", link: Link) -> None:
        if future.cancelled() or future.exception() is not None or not isinstance(text := future.result()[0], bytes):
            return
        used, limit = memory(dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line))
        self._room = limit * self._high - used
        if self._room <= 0:
            self._refusal = f"{used} of {limit} bytes used"
        elif used < limit * self._low:
            self._refusal = ""
        if self._refusal or self._room < _ROOM_BYTES:
            self._look_again(link)


def memory(info: Mapping[str, Any]) -> tuple[int, int]:
    """Return (used, limit) in bytes from ``INFO memory``; without a limit of its own, the machine's memory is the limit."""
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)) or 1 << 63
    return int(info.get("used_memory", 0)), limit
