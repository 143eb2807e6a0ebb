"""What a process has around it: time, chance, and where its events go."""

from typing import Protocol

from zero.application.events import Event


class Clock(Protocol):
    """Time, so that a simulator can own it."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class Random(Protocol):
    """Randomness for jitter, so that a simulator can own it. ``random.Random`` fits."""

    def random(self) -> float:
        """Return a float in [0, 1)."""


class Telemetry(Protocol):
    """Where events go; each becomes a log line and a metric."""

    def emit(self, event: Event) -> None:
        """Take the event. Never raises, never blocks."""
