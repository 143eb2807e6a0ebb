"""Events become a log line and metrics; both are derived from the class of the event."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from zero.application.events import Event, Metric, metrics_of

_logger = logging.getLogger("zero")
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_Step = tuple[str, Callable[[float], None]]


class PrometheusTelemetry:
    """Telemetry port over prometheus-client: ``emit`` costs some dictionary look-ups, never raises and never blocks.

    Metric families are made when an event class is declared or first seen; label values are those of the event's ``labels``.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._families: dict[type[Event], _Family] = {}

    def declare(self, kinds: Iterable[type[Event]]) -> None:
        """Show the metrics of these events before the first one happens, as far as their labels are known."""
        for kind in kinds:
            if kind not in self._families:
                self._families[kind] = _Family(kind, self._registry)

    def emit(self, event: Event) -> None:
        """Count the event and write its line."""
        try:
            family = self._families.get(type(event))
            if family is None:
                family = self._families[type(event)] = _Family(type(event), self._registry)
            family.take(event)
        except Exception:
            _logger.exception("telemetry failed", extra={"fields": {"of": type(event).__name__}})


class _Family:
    """The metrics of one event class, and the bound steps of each combination of its labels."""

    def __init__(self, kind: type[Event], registry: CollectorRegistry) -> None:
        self._labels = kind.labels
        self._metrics = [(metric.field, _made(metric, registry)) for metric in metrics_of(kind)]
        self._bound: dict[tuple[Any, ...], tuple[list[Callable[[], None]], list[_Step]]] = {}
        self._level = None if kind.level is None else logging.getLevelName(kind.level.upper())
        self._line = kind.name.replace("_", " ")
        self._shown = [item.name for item in fields(kind)]
        for case in kind.cases:
            self._bound[case] = self._bind(case)

    def take(self, event: Event) -> None:
        key = tuple([getattr(event, label) for label in self._labels])
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bound[key] = self._bind(key)
        counts, steps = bound
        for count in counts:
            count()
        for name, step in steps:
            step(getattr(event, name))
        if self._level is not None and _logger.isEnabledFor(self._level):
            _logger.log(self._level, self._line, extra={"fields": {name: getattr(event, name) for name in self._shown}})

    def _bind(self, key: tuple[Any, ...]) -> tuple[list[Callable[[], None]], list[_Step]]:
        children = [(field, metric.labels(*key) if key else metric) for field, metric in self._metrics]
        return [child.inc for field, child in children if not field], [
            (field, _step(child)) for field, child in children if field
        ]


def _made(metric: Metric, registry: CollectorRegistry) -> Any:
    """Return the metric in the words of the library, which puts ``_total`` behind the names of counters."""
    name, text, labels = metric.name.removesuffix("_total"), metric.help, metric.labels
    if metric.kind == "counter":
        return Counter(name, text, labels, registry=registry)
    if metric.kind == "histogram":
        return Histogram(name, text, labels, buckets=_SECONDS, registry=registry)
    return Gauge(name, text, labels, registry=registry, multiprocess_mode="livemostrecent")


def _step(metric: Any) -> Callable[[float], None]:
    step: Callable[[float], None] = (
        metric.set if isinstance(metric, Gauge) else metric.observe if isinstance(metric, Histogram) else metric.inc
    )
    return step
