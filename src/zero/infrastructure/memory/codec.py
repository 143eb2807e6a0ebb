"""A codec whose blocks are the identities and hashes of their rows: what the simulator compares."""

import struct
import zlib
from collections.abc import Sequence
from hashlib import blake2b

from zero.application.ports import Block, RowRange
from zero.domain.errors import CorruptFrame
from zero.domain.frame import Frame
from zero.domain.log_batch import split_entries

ROW = struct.Struct("<QI8s")


class MemoryCodec:
    """Reads frames whose payload is a ``LogBatch``, one row for each entry; entries themselves are opaque bytes."""

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return a CRC-32; which polynomial it has does not matter to what is tested with it."""
        return zlib.crc32(data, seed)

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Return the chosen rows as packed (batch id, index, hash). Raises CorruptFrame."""
        entries = [list(split_entries(frame.payload)) for frame in frames]
        chosen = rows if rows is not None else [RowRange(at, 0, len(found)) for at, found in enumerate(entries)]
        packed = []
        for part in chosen:
            frame, found = frames[part.frame], entries[part.frame]
            if part.stop > len(found):
                raise CorruptFrame(f"the frame holds {len(found)} entries, not {part.stop}")
            chosen_here = range(part.start, part.stop)
            packed += [ROW.pack(frame.batch_id, frame.first_index + at, entry_hash(found[at])) for at in chosen_here]
        return Block(b"".join(packed), len(packed))


def entry_hash(entry: bytes | memoryview) -> bytes:
    """Return the 8-byte content hash of an entry."""
    return blake2b(entry, digest_size=8).digest()
