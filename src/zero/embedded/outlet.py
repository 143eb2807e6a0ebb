"""A standard file that lines go to, for as long as somebody reads them: who supervises must not end because nobody does."""

import os
import select
from typing import TextIO

_PATIENCE_SECONDS = 0.1
"""How long a reader may be behind before lines are lost; after one was, nobody waits until there is room again."""


class Outlet:
    """Writes lines, and neither raises nor waits for who reads: those that cannot be written are counted, and told of before
    the next that can be.

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
            patience_seconds = 0.0 if self._lost else _PATIENCE_SECONDS
            _write_all(self._file.fileno(), f"{before}{line}\n".encode(errors="replace"), patience_seconds)
        except (OSError, ValueError):
            self._lost += 1
        else:
            self._lost = 0

    def write_prefixed(self, name: str, line: str) -> None:
        """Write a line of a child, with the child's name in front."""
        self.write(f"{name:<10} | {line}")


def _write_all(descriptor: int, data: bytes, patience_seconds: float) -> None:
    """Write in pieces for which there is room, so that no write waits. The file itself is others', too: it stays as it is."""
    while data:
        if not select.select((), (descriptor,), (), patience_seconds)[1]:
            raise BlockingIOError("nobody reads")
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
