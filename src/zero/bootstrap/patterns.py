"""What `zero patterns assign` is made of."""

from collections.abc import Iterator
from typing import IO


def assigned(source: IO[bytes], mask_only: bool) -> Iterator[bytes]:
    """Yield a line with a pattern id for each line of the source."""
    from zero.application.patterns.assignment import group_ids, masked_ids
    from zero.infrastructure.native.codec import NativeCodec

    return (masked_ids if mask_only else group_ids)(source, NativeCodec().pattern_lines)
