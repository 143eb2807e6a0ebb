"""The telemetry of one process."""

import os
from functools import cache

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics, values

from zero.infrastructure.telemetry.events import PrometheusTelemetry
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE, SLOT_VARIABLE, MetricsPage


@cache
def process_telemetry() -> tuple[PrometheusTelemetry, MetricsPage]:
    """Return where this process sends its events, and its ``/metrics``: one pair, whoever asks."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    if FOLDER_VARIABLE not in os.environ:
        ProcessCollector(registry=registry)
    elif slot := os.environ.get(SLOT_VARIABLE):
        values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
    return PrometheusTelemetry(registry), MetricsPage(registry)
