"""Which events each role can tell of: their metrics are shown from the start, and docs/operations.md has the table."""

from importlib import import_module

from zero.application.events import Event

_EVERY = ("zero.application.settings_events", "zero.application.process_events")
_TRACED = ("zero.application.trace_events",)
_LISTENING = ("zero.application.key_events", "zero.infrastructure.tls.events")
_ACCEPTING = ("zero.application.ingest_events", "zero.infrastructure.clickhouse.events")
_DOORS = ("zero.interfaces.ingest_http.events", "zero.interfaces.ingest_grpc.events", "zero.interfaces.ingest_syslog.events")
_CATALOGUE = ("zero.application.patterns.events", "zero.application.meaning.events")
_KEEPING = ("zero.application.retention_events", "zero.infrastructure.postgres.events")
MODULES = {
    "ingest": (*_ACCEPTING, *_DOORS, *_LISTENING, *_TRACED, *_EVERY),
    "drain": ("zero.application.drain.events", *_KEEPING, *_LISTENING, *_TRACED, *_EVERY),
    "api": ("zero.interfaces.api.events", "zero.application.ledger_gauge", *_CATALOGUE, *_LISTENING, *_TRACED, *_EVERY),
    "up": ("zero.embedded.events", *_EVERY),
}
"""Modules by role. The page of the api shows what ``up`` and its drains tell, too."""


def events_of(role: str) -> list[type[Event]]:
    """Return the events that the role can tell of."""
    found: list[type[Event]] = []
    for module in map(import_module, MODULES.get(role, ())):
        kinds = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event))
        found += [kind for kind in kinds if kind.__module__ == module.__name__]
    return found
