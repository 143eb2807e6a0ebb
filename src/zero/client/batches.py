"""A batch: lines that go out together under one Idempotency-Key, for as long as they exist."""

from __future__ import annotations

import gzip
import uuid
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """NDJSON of ``count`` entries. The key stays the same over retries, restarts and the spool, so none is stored twice.

    That holds for as long as the door remembers the key: 24 hours.
    """

    key: str
    body: bytes
    count: int

    def halves(self) -> tuple[Batch, Batch]:
        """Return two batches that are this one; their keys follow from this one's, so that a retry finds them again."""
        lines = self.body.split(b"\n")
        middle = len(lines) // 2
        first, second = lines[:middle], lines[middle:]
        return (
            Batch(f"{self.key}.0", b"\n".join(first), len(first)),
            Batch(f"{self.key}.1", b"\n".join(second), len(second)),
        )

    def to_bytes(self) -> bytes:
        """Return the batch as it lies on disk: gzip with a checksum of its own."""
        return gzip.compress(b"%b %d\n%b" % (self.key.encode(), self.count, self.body), 1)


def read_batch(data: bytes) -> Batch:
    """Return what ``to_bytes`` wrote. Raises ValueError when it is torn or was changed."""
    try:
        head, _, body = gzip.decompress(data).partition(b"\n")
        key, count = head.split(b" ")
        return Batch(key.decode("ascii"), body, int(count))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"not a batch: {error}") from error


class Keys:
    """Keys that nobody else has: those of a process begin with a random number of its own."""

    def __init__(self) -> None:
        self._run = uuid.uuid4().hex
        self._count = 0

    def next(self) -> str:
        """Return a key that was never used."""
        self._count += 1
        return f"{self._run}-{self._count}"
