"""The data folder of ``zero up``: private, and of one supervisor at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zero.domain.errors import ConfigurationError


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Make the folder (0700) and hold its lock; yields the absolute path. Raises ConfigurationError when another has it."""
    folder = folder.absolute()
    run = folder / "run"
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        lock = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        reason = f"cannot use the data folder {folder}: {error.strerror}; choose another with ZERO_DATA_DIR"
        raise ConfigurationError(reason) from error
    try:
        _take(lock, folder)
        yield folder
    finally:
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
        raise ConfigurationError(
            f"another `zero up` (process {holder}) uses {folder}; stop it, or choose another folder with ZERO_DATA_DIR"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
