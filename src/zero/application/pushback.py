"""What a full buffer does to those who send: the answer 429 takes its time.

A sender that tries again at once costs as much as one that is served, and takes it from the drain, which alone can help. So a
refusal for a full buffer is held back, and until then what else arrives is refused without being decoded.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from zero.application.ports import Clock
from zero.domain.errors import BufferFull


@dataclass(frozen=True, slots=True)
class PushbackOptions:
    """``hold_seconds``: how long a refusal is held back, and how often a full buffer is tried again."""

    hold_seconds: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.hold_seconds <= 1:
            raise ValueError("hold_seconds must lie between 0 and 1")


class Pushback:
    """Remembers that the buffer was full, for a moment."""

    def __init__(self, clock: Clock, options: PushbackOptions) -> None:
        self._clock = clock
        self._options = options
        self._error: BufferFull | None = None
        self._until = 0.0

    def check(self) -> None:
        """Raise the BufferFull of a moment ago, if there was one."""
        if self._error is not None:
            if self._clock.monotonic() < self._until:
                raise self._error
            self._error = None

    def remember(self, error: BufferFull) -> None:
        """Take note that the buffer is full."""
        self._error = error
        self._until = self._clock.monotonic() + self._options.hold_seconds

    def later(self, refuse: Callable[[], None]) -> None:
        """Call ``refuse`` when it has been held back long enough. What waits is bounded by the connections' own bounds."""
        asyncio.get_running_loop().call_later(self._options.hold_seconds, refuse)
