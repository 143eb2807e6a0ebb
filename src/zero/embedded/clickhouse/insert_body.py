"""The data of an insert as a file in memory, which the engine reads once it is whole (docs/decisions/0276)."""

import os
import sys
import tempfile
from collections.abc import Iterable
from types import TracebackType

from zero.embedded.clickhouse.errors import EngineError


class InsertBody:
    """Holds at most ``bytes_max``; ``path`` is valid in this process until the end of the context."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._descriptor = -1
        self.size = 0

    @property
    def path(self) -> str:
        """Where the engine finds it."""
        return f"/proc/self/fd/{self._descriptor}" if sys.platform == "linux" else f"/dev/fd/{self._descriptor}"

    def take(self, pieces: Iterable[bytes]) -> None:
        """Take all of the data. Raises EngineError 307 when it is too much."""
        for piece in pieces:
            self.size += len(piece)
            if self.size > self._bytes_max:
                raise EngineError(307, "TOO_MANY_BYTES", f"The data of one insert is more than {self._bytes_max} bytes")
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def __enter__(self) -> "InsertBody":
        if sys.platform == "linux":
            self._descriptor = os.memfd_create("zero-insert")
        else:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)
