"""The checksum is CRC-32C, at every size around the lanes that it is computed in."""

import random

import pytest

from zero.infrastructure.native.codec import NativeCodec

POLYNOMIAL = 0x82F63B78  # reflected, RFC 3720
DATA = random.Random(5).randbytes(7000)
CRC = NativeCodec().crc32c


def bit_by_bit(data: bytes, seed: int = 0) -> int:
    crc = ~seed & 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return ~crc & 0xFFFFFFFF


def test_the_check_value_of_the_standard() -> None:
    assert CRC(b"123456789") == 0xE3069283


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 3071, 3072, 3073, 3080, 6143, 6144, 6995])
def test_sizes_around_the_lanes(size: int) -> None:
    assert CRC(DATA[:size]) == bit_by_bit(DATA[:size])
    assert CRC(DATA[3 : 3 + size], 77) == bit_by_bit(DATA[3 : 3 + size], 77)


@pytest.mark.parametrize("cut", [0, 1, 5, 3072, 3500, 7000])
def test_the_parts_make_the_whole(cut: int) -> None:
    assert CRC(DATA[cut:], CRC(DATA[:cut])) == CRC(DATA)
