"""Varints: how protobuf and ClickHouse's Native format write unsigned numbers, seven bits a byte, the lowest first."""

_ONE_BYTE = [bytes([value]) for value in range(0x80)]


def varint(value: int) -> bytes:
    """Return the varint of an unsigned 64-bit value."""
    if value <= 0x7F:
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
