"""The telemetry of one process."""

import os

from prometheus_client import CollectorRegistry, ProcessCollector

from zero.infrastructure.telemetry.events import PrometheusTelemetry
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE, MetricsPage


def process_telemetry() -> tuple[PrometheusTelemetry, MetricsPage]:
    """Return where this process sends its events, and its ``/metrics``."""
    registry = CollectorRegistry()
    if FOLDER_VARIABLE not in os.environ:
        ProcessCollector(registry=registry)
    return PrometheusTelemetry(registry), MetricsPage(registry)
