"""Files that only we may read, and that a power cut leaves whole or does not leave at all."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a 0600 file in one step that is on disk when it is over."""
    partial = path.with_name(path.name + ".new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def missing(path: Path) -> bool:
    """Say whether there is no such file, or an empty one: what a power cut left of one that was written with less care."""
    return not path.exists() or path.stat().st_size == 0
