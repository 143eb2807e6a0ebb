"""A folder that keeps batches over an outage and over a restart: one file each, complete or not there.

Processes may share a folder: each tries what it finds, one at a time (flock), and should two try the same batch, its key has it
stored once. A file that is torn or changed is put aside as ``*.broken`` and counted; what a killed process left unfinished is
removed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zero.client.batches import Batch, read_batch

_SUFFIX, _BROKEN, _UNFINISHED = ".batch", ".broken", ".unfinished"
_LOOK_SECONDS = 5.0
_STALE_SECONDS = 600.0
"""Nobody writes one file for so long."""


class Spool:
    """Batches on disk, oldest first; ``bytes_max`` bounds all that is in the folder."""

    def __init__(self, folder: str, bytes_max: int) -> None:
        self._folder = Path(folder)
        self._bytes_max = bytes_max
        self._count = 0
        self._names: list[str] = []
        self._looked = -_LOOK_SECONDS
        self.broken = 0

    def waiting(self) -> bool:
        """Say whether there is a batch; others' batches are seen within a few seconds."""
        if not self._names and time.monotonic() - self._looked >= _LOOK_SECONDS:
            self.look()
        return bool(self._names)

    def look(self) -> None:
        """See what is there."""
        self._looked = time.monotonic()
        try:
            found = os.listdir(self._folder)  # noqa: PTH208 - names are enough
        except OSError:
            found = []
        self._names = sorted(name for name in found if name.endswith(_SUFFIX))
        for name in found:
            if name.endswith(_UNFINISHED):
                self._remove_stale(self._folder / name)

    def put(self, batch: Batch) -> bool:
        """Keep a batch; False when there is no room for it."""
        data = batch.to_bytes()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._used() + len(data) > self._bytes_max:
                self.look()
                if self._used() + len(data) > self._bytes_max:
                    return False
            self._count += 1
            name = f"{time.time_ns():020d}-{os.getpid()}-{self._count:06d}"
            unfinished = self._folder / (name + _UNFINISHED)
            self._write(unfinished, data)
            unfinished.replace(self._folder / (name + _SUFFIX))
        except OSError:
            return False
        self._names.append(name + _SUFFIX)
        return True

    @contextmanager
    def oldest(self) -> Iterator[tuple[Path, Batch] | None]:
        """Yield the oldest batch that can be read and that no other process tries, locked; or None."""
        while self._names:
            path = self._folder / self._names[0]
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:  # sent by another, or not ours to read
                self._names.pop(0)
                continue
            try:
                if not _locked(descriptor):
                    self._names.pop(0)
                    continue
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    batch = read_batch(file.read())
                yield path, batch
                return
            except ValueError:
                self._put_aside(path)
            finally:
                os.close(descriptor)
        yield None

    def remove(self, path: Path) -> None:
        """Forget a batch that was sent."""
        with suppress(OSError):
            path.unlink()
        with suppress(ValueError):
            self._names.remove(path.name)

    def _remove_stale(self, path: Path) -> None:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()

    def _put_aside(self, path: Path) -> None:
        self.broken += 1
        with suppress(ValueError):
            self._names.remove(path.name)
        with suppress(OSError):
            path.rename(path.with_suffix(_BROKEN))

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(descriptor)

    def _used(self) -> int:
        used = 0
        with os.scandir(self._folder) as found:
            for each in found:
                with suppress(OSError):
                    used += each.stat().st_size
        return used


def age_seconds(path: Path) -> float:
    """Return how long ago a batch was put into the spool, by its name."""
    written = path.name.partition("-")[0]
    return time.time() - int(written) / 1e9 if written.isascii() and written.isdigit() else 0.0


def _locked(descriptor: int) -> bool:
    """Lock a file for as long as it is open; False when another process has it. Without flock, everybody has it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
