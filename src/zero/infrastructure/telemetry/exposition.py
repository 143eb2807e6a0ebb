"""Metrics as text for ``/metrics``, of one process or of all processes that share a folder."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class MetricsPage:
    """What ``/metrics`` answers. With a shared folder it holds the sums over every process that wrote there."""

    def __init__(self, own: CollectorRegistry) -> None:
        self._own = own

    def text(self) -> bytes:
        """Return the metrics in the Prometheus text format."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._own)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


def empty_folder(folder: Path) -> None:
    """Make the shared folder, without the values of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for file in folder.glob("*.db"):
        file.unlink()


def forget_process(folder: Path, pid: int) -> None:
    """Drop the gauges of a process that ended; its counters stay."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
