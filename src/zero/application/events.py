"""The events of the platform. Each is defined once; its log line and its metrics are both derived from the definition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth counting. Fields named in ``labels`` become metric labels and come from small fixed sets.

    Every event that is ``counted`` adds one to ``zero_<name>_total``; each numeric field in ``amounts`` is added to
    ``zero_<name>_<field>_total``, each in ``timings`` (seconds) is observed in the histogram ``zero_<name>_<field>``, and each
    in ``gauges`` sets the gauge ``zero_<name>_<field>``. ``about`` says what a field is, where its own words do not. ``cases``
    are values of the labels that are shown, as zero, before the first event: a counter that appears with its first event has
    not grown for those who watch. ``level`` is that of its log line; ``None`` writes no line.
    """

    name: ClassVar[str]
    level: ClassVar[str | None] = None
    labels: ClassVar[tuple[str, ...]] = ()
    amounts: ClassVar[tuple[str, ...]] = ()
    timings: ClassVar[tuple[str, ...]] = ()
    gauges: ClassVar[tuple[str, ...]] = ()
    counted: ClassVar[bool] = True
    cases: ClassVar[tuple[tuple[str, ...], ...]] = ()
    help: ClassVar[str] = ""
    about: ClassVar[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an event: ``kind`` is counter, gauge or histogram; ``field`` the one it takes its values from, or ''."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    field: str


def metrics_of(event: type[Event]) -> tuple[Metric, ...]:
    """Return the metrics that the event is told by; names and units are those that Prometheus asks for."""
    text, stem = event.help or (event.__doc__ or event.name).split("\n")[0].rstrip("."), f"zero_{event.name}"
    found = [Metric(f"{stem}_total", "counter", event.labels, text, "")] if event.counted else []
    fields = (("counter", event.amounts, "_total"), ("histogram", event.timings, ""), ("gauge", event.gauges, ""))
    for kind, names, suffix in fields:
        for name in names:
            of_field = event.about.get(name) or f"{text}: {name.replace('_', ' ')}"
            found.append(Metric(f"{stem}_{name}{suffix}", kind, event.labels, of_field, name))
    return tuple(found)
