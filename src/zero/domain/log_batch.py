"""The seams of a ``zero.v1.LogBatch``: where one encoded entry ends and the next begins, without reading the entries."""

from collections.abc import Iterable, Iterator

from zero.domain.errors import CorruptFrame
from zero.domain.varint import varint

_ENTRY_TAG = 0x0A  # field 1, length-delimited


def join_entries(entries: Iterable[bytes | memoryview]) -> bytes:
    """Return the batch that holds the encoded entries."""
    return b"".join(part for entry in entries for part in (bytes([_ENTRY_TAG]), varint(len(entry)), entry))


def split_entries(payload: memoryview) -> Iterator[memoryview]:
    """Yield the encoded entries in order, without copies. Raises CorruptFrame when the bytes are not a batch."""
    at = 0
    while at < len(payload):
        if payload[at] != _ENTRY_TAG:
            raise CorruptFrame(f"byte {at} of the payload does not begin an entry")
        length, at = _read_varint(payload, at + 1)
        if at + length > len(payload):
            raise CorruptFrame("the last entry is cut off")
        yield payload[at : at + length]
        at += length


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
