"""The native codec: the platform's hot path in C++."""

from collections.abc import Sequence

from zero.application.ports import Block, RowRange
from zero.domain.errors import CorruptFrame
from zero.domain.frame import Frame
from zero.infrastructure.native import _core


class NativeCodec:
    """Whole batches in, whole batches out; the interpreter lock is released meanwhile. Safe to call from any thread."""

    def crc32c(self, data: bytes | memoryview) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes."""
        return _core.crc32c(data)

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all) as one Native block of table ``logs``. Raises CorruptFrame on a bad payload."""
        ranges = None if rows is None else [(row.frame, row.start, row.stop) for row in rows]
        try:
            data, count = _core.encode_block([frame.data for frame in frames], ranges)
        except (ValueError, OverflowError) as error:
            raise CorruptFrame(str(error)) from error
        return Block(data, count)

    def pattern_id(self, message: str) -> int:
        """Return the 64-bit hash of the masked message."""
        return _core.pattern_id(message.encode())

    def mask(self, message: str) -> str:
        """Return the message with its variable parts as ``<*>``."""
        return _core.mask(message.encode()).decode()
