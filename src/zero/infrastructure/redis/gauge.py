"""How full a server is, and whether it takes more."""

import asyncio
from collections.abc import Mapping
from typing import Any

from zero.infrastructure.redis.failures import full
from zero.infrastructure.redis.link import Link
from zero.infrastructure.redis.options import RedisOptions

_INTERVAL_SECONDS = 0.25
_INFO_MEMORY = b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n"


class Gauge:
    """The level of one server, asked for at most four times a second and only while appends arrive.

    Above the high-water mark it refuses until the level is below the low-water mark. What arrives between two looks has the
    room above the high-water mark; after that the server itself refuses (OOM), which counts as full too.
    """

    def __init__(self, options: RedisOptions) -> None:
        self._high = options.high_water
        self._low = options.low_water
        self._asked_at = float("-inf")
        self._refusal = ""

    def check(self) -> None:
        """Raise Overloaded while the server is full."""
        if self._refusal:
            raise full(self._refusal)

    def refresh(self, link: Link, now: float) -> None:
        """Ask for the level without waiting for it, unless it was asked for just now."""
        if now - self._asked_at >= _INTERVAL_SECONDS:
            self._asked_at = now
            link.call((_INFO_MEMORY,), 1).add_done_callback(self._answered)

    def out_of_memory(self) -> None:
        """Take note that the server refused for want of memory."""
        self._refusal = "the server is out of memory (OOM)"

    def _answered(self, future: "asyncio.Future[list[Any]]") -> None:
        if future.cancelled() or future.exception() is not None or not isinstance(text := future.result()[0], bytes):
            return
        used, limit = memory(dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line))
        if used >= limit * self._high:
            self._refusal = f"{used} of {limit} bytes used"
        elif used < limit * self._low:
            self._refusal = ""


def memory(info: Mapping[str, Any]) -> tuple[int, int]:
    """Return (used, limit) in bytes from ``INFO memory``; without a limit of its own, the machine's memory is the limit."""
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)) or 1 << 63
    return int(info.get("used_memory", 0)), limit
