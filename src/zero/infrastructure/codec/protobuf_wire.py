"""The protobuf wire format, as far as ``zero.v1`` needs it. Plain and slow: the oracle of the native codec."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from zero.domain.varint import varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """The bytes are not protobuf; ``position`` is the offset of the field that cannot be read."""

    def __init__(self, position: int) -> None:
        super().__init__(f"not protobuf at byte {position}")
        self.position = position


@dataclass(frozen=True, slots=True)
class WireField:
    """One field as it lies in the message. ``number`` and ``wire`` are the tag; BYTES fields span ``start`` to ``stop``."""

    number: int
    wire: int
    value: int
    start: int
    stop: int

    @property
    def tag(self) -> tuple[int, int]:
        """Field number and wire type: a known number with another wire type is an unknown field."""
        return self.number, self.wire


def read_fields(data: bytes, start: int, stop: int) -> Iterator[WireField]:
    """Yield the fields of the message in ``data[start:stop]``. Raises WireError; groups count as malformed."""
    at = start
    while at < stop:
        position = at
        tag, at = _read_varint(data, at, stop, position)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise WireError(position)
        if wire == VARINT:
            value, at = _read_varint(data, at, stop, position)
            yield WireField(number, wire, value, at, at)
            continue
        length = _FIXED_BYTES.get(wire, -1)
        if wire == BYTES:
            length, at = _read_varint(data, at, stop, position)
        if not 0 <= length <= stop - at:
            raise WireError(position)
        value = 0 if wire == BYTES else int.from_bytes(data[at : at + length], "little")
        yield WireField(number, wire, value, at, at + length)
        at += length


def _read_varint(data: bytes, at: int, stop: int, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= stop:
            raise WireError(position)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise WireError(position)


def varint_field(number: int, value: int) -> bytes:
    """Return a VARINT field."""
    return varint(number << 3 | VARINT) + varint(value)


def fixed64_field(number: int, value: int) -> bytes:
    """Return a FIXED64 field of an unsigned value."""
    return varint(number << 3 | FIXED64) + struct.pack("<Q", value)


def double_field(number: int, value: float) -> bytes:
    """Return a FIXED64 field of a double."""
    return varint(number << 3 | FIXED64) + struct.pack("<d", value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a BYTES field."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def to_double(value: int) -> float:
    """Return the double whose 64 bits are ``value``."""
    return float(struct.unpack("<d", struct.pack("<Q", value))[0])


def to_signed(value: int) -> int:
    """Return the zigzag-decoded value of an sint64."""
    return (value >> 1) ^ -(value & 1)


def from_signed(value: int) -> int:
    """Return the zigzag encoding of an sint64."""
    return value * 2 if value >= 0 else -value * 2 - 1
