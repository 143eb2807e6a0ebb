"""The frame: what one stream entry of the buffer holds.

Layout, little endian: magic ``ZF``, version (1 byte), flags (1 byte, 0), CRC32C of all that follows (4), batch id (8), time of
receipt in Unix milliseconds (8), number of entries (4), tenant length (2), tenant, payload. The payload is a
``zero.v1.LogBatch`` whose entries are complete: validated, stamped, within every limit. With flag 1 (docs/decisions/0275) the
index of the first entry (4) stands before the payload: the entries are a part of their batch, and keep their identities.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zero.domain.errors import CorruptFrame

MAGIC = b"ZF"
VERSION = 1
EVERY_ENTRY = range(1 << 32)
"""The indexes of all entries of a frame, however many there are."""
_CHECKED = struct.Struct("<QQIH")
_PREFIX = struct.Struct("<2sBBI")
_FIRST_INDEX = struct.Struct("<I")
_WHOLE, _PART = 0, 1
_PART_SEED = b"part"
"""Stands before what the checksum of a part covers, so that a flag that flips is noticed."""
HEADER_BYTES = _PREFIX.size + _CHECKED.size


class Crc32c(Protocol):
    """A CRC-32C; ``seed`` is that of the bytes before."""

    def __call__(self, data: bytes | memoryview, seed: int = 0) -> int: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose checksum was right. ``data`` is the whole frame as it lies in the buffer."""

    batch_id: int
    received_ms: int
    count: int
    tenant: str
    data: bytes
    payload_offset: int
    first_index: int = 0

    @property
    def payload(self) -> memoryview:
        """The ``LogBatch`` bytes, without a copy."""
        return memoryview(self.data)[self.payload_offset :]


def pack_frame(batch_id: int, received_ms: int, count: int, tenant: str, payloads: Sequence[bytes], crc32c: Crc32c) -> bytes:
    """Return the frame that holds the concatenated ``LogBatch`` payloads."""
    name = tenant.encode()
    head = _CHECKED.pack(batch_id, received_ms, count, len(name)) + name
    payload = payloads[0] if len(payloads) == 1 else b"".join(payloads)
    return b"".join((_PREFIX.pack(MAGIC, VERSION, _WHOLE, crc32c(payload, crc32c(head))), head, payload))


def pack_part(frame: Frame, first_index: int, crc32c: Crc32c) -> bytes:
    """Return the frame's entries as a part of their batch that begins at ``first_index``."""
    name = frame.tenant.encode()
    head = _CHECKED.pack(frame.batch_id, frame.received_ms, frame.count, len(name)) + name + _FIRST_INDEX.pack(first_index)
    checksum = crc32c(frame.payload, crc32c(head, crc32c(_PART_SEED)))
    return b"".join((_PREFIX.pack(MAGIC, VERSION, _PART, checksum), head, frame.payload))


def unpack_frame(data: bytes, crc32c: Crc32c) -> Frame:
    """Return the frame in ``data``. Raises CorruptFrame when a byte of it is not as written."""
    if len(data) < HEADER_BYTES:
        raise CorruptFrame(f"frame of {len(data)} bytes is shorter than its header ({HEADER_BYTES})")
    magic, version, flags, checksum = _PREFIX.unpack_from(data)
    if magic != MAGIC or version != VERSION or flags not in (_WHOLE, _PART):
        raise CorruptFrame(f"unknown frame: magic {magic!r}, version {version}, flags {flags}")
    if crc32c(memoryview(data)[_PREFIX.size :], crc32c(_PART_SEED) if flags == _PART else 0) != checksum:
        raise CorruptFrame("frame checksum does not match")
    batch_id, received_ms, count, tenant_bytes = _CHECKED.unpack_from(data, _PREFIX.size)
    start, first_index = HEADER_BYTES + tenant_bytes, 0
    try:
        tenant = data[HEADER_BYTES:start].decode()
    except UnicodeDecodeError as error:
        raise CorruptFrame("frame tenant is not UTF-8") from error
    if flags == _PART:
        if len(data) < start + _FIRST_INDEX.size:
            raise CorruptFrame("the frame ends before the index of its first entry")
        (first_index,) = _FIRST_INDEX.unpack_from(data, start)
        start += _FIRST_INDEX.size
    return Frame(batch_id, received_ms, count, tenant, data, start, first_index)
