"""Time as the operating system tells it."""

import asyncio
import time

from zero.application.ports import Clock


class SystemClock(Clock):
    """The wall clock, the monotonic clock, and the event loop's sleep."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds, UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)
