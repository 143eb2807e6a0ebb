"""What is reported of processes and of the disk below them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class ProcessMeasured(Event):
    """What a process takes. ``proc`` is its role, or its name under ``zero up``; ``cpu_seconds`` is what it used since the
    last time.
    """

    name: ClassVar[str] = "process"
    labels: ClassVar[tuple[str, ...]] = ("proc",)
    amounts: ClassVar[tuple[str, ...]] = ("cpu_seconds",)
    gauges: ClassVar[tuple[str, ...]] = ("resident_memory_bytes", "open_files")
    counted: ClassVar[bool] = False
    about: ClassVar[Mapping[str, str]] = {
        "cpu_seconds": "Processor time that a process has used, of user and system",
        "resident_memory_bytes": "Resident memory of a process",
        "open_files": "Open file descriptors of a process",
    }

    proc: str
    cpu_seconds: float
    resident_memory_bytes: int
    open_files: int


@dataclass(frozen=True, slots=True)
class DiskMeasured(Event):
    """The file system of the data folder, under ``zero up``."""

    name: ClassVar[str] = "data_disk"
    gauges: ClassVar[tuple[str, ...]] = ("free_bytes", "size_bytes")
    counted: ClassVar[bool] = False
    about: ClassVar[Mapping[str, str]] = {
        "free_bytes": "Room that is left on the file system of the data folder",
        "size_bytes": "Size of the file system of the data folder",
    }

    free_bytes: int
    size_bytes: int
