"""Processor time, memory and descriptors of our processes, as /proc has them; on systems without it nothing is reported."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zero.application.process_events import DiskMeasured, ProcessMeasured

if TYPE_CHECKING:
    from zero.application.ports import Telemetry

_UTIME, _STIME, _RSS = 11, 12, 21
"""Places in /proc/PID/stat behind the name, which may hold spaces (proc(5))."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """``cpu_seconds`` is what the process has used since it began."""

    cpu_seconds: float
    resident_memory_bytes: int
    open_files: int


def vitals(pid: int) -> Vitals | None:
    """Return what the process takes, None when that cannot be known."""
    folder = Path("/proc") / str(pid)
    try:
        values = (folder / "stat").read_text().rpartition(") ")[2].split()
        ticks = int(values[_UTIME]) + int(values[_STIME])
        files = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    return Vitals(ticks / os.sysconf("SC_CLK_TCK"), int(values[_RSS]) * os.sysconf("SC_PAGE_SIZE"), files)


async def watch_processes(
    telemetry: "Telemetry",
    processes: Callable[[], Iterable[tuple[str, int]]],
    disk: Path | None = None,
    every_seconds: float = 5.0,
) -> None:
    """Report the processes (name, pid), and the file system of a folder, again and again."""
    counted: dict[tuple[str, int], float] = {}
    while True:
        seen: dict[tuple[str, int], float] = {}
        for name, pid in processes():
            if found := vitals(pid):
                before = counted.get((name, pid), 0.0)
                seen[name, pid] = found.cpu_seconds
                used = max(0.0, found.cpu_seconds - before)
                telemetry.emit(ProcessMeasured(name, used, found.resident_memory_bytes, found.open_files))
        counted = seen
        if disk is not None:
            room = shutil.disk_usage(disk)
            telemetry.emit(DiskMeasured(room.free, room.total))
        await asyncio.sleep(every_seconds)
