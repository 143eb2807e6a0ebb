"""Metrics as text for ``/metrics``, of one process or of all processes that share a folder.

The metrics library decides when it is imported whether the folder is used: so it is not imported with this module.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SLOT_VARIABLE = "PROMETHEUS_MULTIPROC_SLOT"
"""Names the files of a process in the folder in place of its number: one that starts again counts on where it was."""
PAGES_PER_SECOND_MAX = 50
"""Beyond so many in a second the last page is given again: making one takes a millisecond, asking for it nothing."""


class MetricsPage:
    """What ``/metrics`` answers. With a shared folder it holds the sums over every process that wrote there."""

    def __init__(self, own: "CollectorRegistry") -> None:
        self._own = own
        self._page = b""
        self._second = self._made = 0

    def text(self) -> bytes:
        """Return the metrics in the Prometheus text format; no older than a second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._made = second, 0
        if self._made < PAGES_PER_SECOND_MAX:
            self._made += 1
            self._page = self._newest()
        return self._page

    def _newest(self) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

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
