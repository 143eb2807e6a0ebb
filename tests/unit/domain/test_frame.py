"""Frames: what comes back is what went in, and a damaged one never passes for whole."""

import zlib

import pytest

from zero.domain.errors import CorruptFrame
from zero.domain.frame import pack_frame, pack_part, unpack_frame

WHOLE = pack_frame(7, 1_000, 1, "grün", [b"pay", b"load"], zlib.crc32)


def test_a_frame_comes_back_as_it_was() -> None:
    frame = unpack_frame(WHOLE, zlib.crc32)
    assert (frame.batch_id, frame.received_ms, frame.count, frame.tenant, frame.first_index) == (7, 1_000, 1, "grün", 0)
    assert bytes(frame.payload) == b"payload"


def test_a_part_says_where_in_its_batch_it_begins() -> None:
    part = unpack_frame(pack_part(unpack_frame(WHOLE, zlib.crc32), 99_999, zlib.crc32), zlib.crc32)
    assert (part.batch_id, part.received_ms, part.count, part.tenant, part.first_index) == (7, 1_000, 1, "grün", 99_999)
    assert bytes(part.payload) == b"payload"


@pytest.mark.parametrize("data", [WHOLE, pack_part(unpack_frame(WHOLE, zlib.crc32), 3, zlib.crc32)])
def test_a_frame_with_any_byte_changed_or_missing_is_corrupt(data: bytes) -> None:
    for at in range(len(data)):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            with pytest.raises(CorruptFrame):
                unpack_frame(damaged, zlib.crc32)


def test_a_part_without_its_index_is_corrupt_though_its_checksum_is_right() -> None:
    bare = pack_frame(7, 1, 0, "t", [b""], zlib.crc32)[8:]
    checksum = zlib.crc32(bare, zlib.crc32(b"part")).to_bytes(4, "little")
    with pytest.raises(CorruptFrame, match="first entry"):
        unpack_frame(b"ZF\1\1" + checksum + bare, zlib.crc32)
