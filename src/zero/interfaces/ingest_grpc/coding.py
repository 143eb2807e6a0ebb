"""Compressed messages: gRPC's own decompression is off, so that a bomb meets our bound, in a worker thread, and gets a status.

Which coding a message has is told from its first bytes: no protobuf message can begin with those of gzip, and none of ours does
with those of zlib.
"""

from zero.application.ports import Decompressor

_GZIP = b"\x1f\x8b"
_ZLIB = 0x78
_SMALL_BYTES_MAX = 64 * 1024


def coding_of(message: bytes) -> str:
    """Return the name of the coding, '' when the message is plain."""
    if message.startswith(_GZIP):
        return "gzip"
    if len(message) > 1 and message[0] == _ZLIB and int.from_bytes(message[:2]) % 31 == 0:
        return "deflate"
    return ""


def plain(message: bytes, decompressor: Decompressor) -> bytes:
    """Return a small message without its coding. Raises TooLarge or InvalidInput."""
    coding = coding_of(message)
    return decompressor.decompress(coding, message, _SMALL_BYTES_MAX) if coding else message
