"""A standard file that lines go to, for as long as somebody reads them: who supervises must not end because nobody does."""

import os
from typing import TextIO


class Outlet:
    """Writes lines, and never raises: those that cannot be written are counted, and told of before the next that can be.

    It writes to the descriptor: what a buffer could not get rid of would come late, and again.
    """

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._lost = 0

    def write(self, line: str) -> None:
        """Write a line, or count it as lost. A file that was closed from the start takes everything."""
        if self._file is None:
            return
        before = f"\n(lines lost, because they could not be written: {self._lost})\n" if self._lost else ""
        try:
            _write_all(self._file.fileno(), f"{before}{line}\n".encode(errors="replace"))
        except (OSError, ValueError):
            self._lost += 1
        else:
            self._lost = 0

    def write_prefixed(self, name: str, line: str) -> None:
        """Write a line of a child, with the child's name in front."""
        self.write(f"{name:<10} | {line}")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
