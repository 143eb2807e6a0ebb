"""A codec whose blocks are the identities and hashes of their rows: what the simulator compares."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from zero.application.ports import Block, RowRange
from zero.domain.errors import CorruptFrame
from zero.domain.frame import Frame

ROW = struct.Struct("<QI8s")
_ENTRY_TAG = 0x0A  # field 1 of LogBatch, length-delimited


class MemoryCodec:
    """Reads frames whose payload is a ``LogBatch``, one row for each entry; entries themselves are opaque bytes."""

    def crc32c(self, data: bytes | memoryview) -> int:
        """Return a CRC-32; which polynomial it has does not matter to what is tested with it."""
        return zlib.crc32(data)

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Return the chosen rows as packed (batch id, index, hash). Raises CorruptFrame."""
        entries = [list(log_batch_entries(frame.payload)) for frame in frames]
        chosen = rows if rows is not None else [RowRange(at, 0, len(found)) for at, found in enumerate(entries)]
        packed = [
            ROW.pack(frames[part.frame].batch_id, index, entry_hash(entries[part.frame][index]))
            for part in chosen
            for index in range(part.start, part.stop)
        ]
        return Block(b"".join(packed), len(packed))


def entry_hash(entry: bytes | memoryview) -> bytes:
    """Return the 8-byte content hash of an entry."""
    return blake2b(entry, digest_size=8).digest()


def log_batch(entries: Iterable[bytes]) -> bytes:
    """Return the ``LogBatch`` that holds the encoded entries."""
    return b"".join(bytes([_ENTRY_TAG]) + _varint(len(entry)) + entry for entry in entries)


def log_batch_entries(payload: memoryview) -> Iterator[memoryview]:
    """Yield the encoded entries of a ``LogBatch``. Raises CorruptFrame when it is not one."""
    at = 0
    while at < len(payload):
        if payload[at] != _ENTRY_TAG:
            raise CorruptFrame(f"byte {at} of the payload does not begin an entry")
        length, at = _read_varint(payload, at + 1)
        if at + length > len(payload):
            raise CorruptFrame("the last entry is cut off")
        yield payload[at : at + length]
        at += length


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise CorruptFrame("a length in the payload cannot be read")
