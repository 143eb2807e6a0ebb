"""A clock that moves only when told to."""

from zero.application.ports import Clock
from zero.domain.instant import NANOSECONDS_PER_SECOND


class ManualClock(Clock):
    """Time that its holder owns. ``sleep`` moves it on and returns at once."""

    def __init__(self, now_ns: int = 1_700_000_000 * NANOSECONDS_PER_SECOND) -> None:
        self._wall_ns = now_ns
        self._monotonic = 0.0

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return self._wall_ns

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Move the time on by that many seconds."""
        self.advance(max(seconds, 0.0))

    def advance(self, seconds: float) -> None:
        """Let that many seconds pass."""
        self._monotonic += seconds
        self._wall_ns += int(seconds * NANOSECONDS_PER_SECOND)

    def jump(self, seconds: float) -> None:
        """Set the wall clock on or back, as an operator or NTP would; monotonic time is not touched."""
        self._wall_ns += int(seconds * NANOSECONDS_PER_SECOND)
