"""Events kept in a list."""

from typing import TypeVar

from zero.application.events import Event
from zero.application.ports import Telemetry

E = TypeVar("E", bound=Event)


class MemoryTelemetry(Telemetry):
    """Keeps the last ``events_max`` events."""

    def __init__(self, events_max: int = 10_000) -> None:
        self._events_max = events_max
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Take the event."""
        self.events.append(event)
        del self.events[: -self._events_max]

    def of(self, kind: type[E]) -> list[E]:
        """Return the kept events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]
