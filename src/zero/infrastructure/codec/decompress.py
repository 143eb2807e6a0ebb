"""Compressed bodies, read with a bound on what comes out: a bomb costs no more than the limit."""

import io
import sys
import zlib
from collections.abc import Callable
from typing import Protocol

import cramjam
import lz4.frame  # type: ignore[import-untyped]

from zero.domain.errors import InvalidInput, TooLarge, UnsupportedMedia

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEMBERS_MAX = 1_000
"""Concatenated gzip members or zstd and lz4 frames in one body; each costs work, however small it is."""
_ZSTD_WINDOW_LOG_MAX = 23  # 8 MiB, what RFC 9659 lets a sender use
_INPUT_BYTES = 16 * 1024
_OUTPUT_BYTES = 64 * 1024
_SNAPPY_STREAM = b"\xff\x06\x00\x00sNaPpY"
_SNAPPY_CHUNKS_MAX = 65_536
_SNAPPY_BLOCK_BYTES = 65_536


class _Stream(Protocol):
    """A decompressor in the shape of the standard library's: it takes input and gives at most so much output."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """Gives zlib the shape of the newer decompressors."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self._rest = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._rest + data, max_length)
        self._rest = self._inner.unconsumed_tail
        self.needs_input = not self._rest and len(out) < max_length
        return out


class BoundedDecompressor:
    """The content codings of the ingest doors: gzip, deflate, zstd, snappy and lz4."""

    def __init__(self) -> None:
        self._readers: dict[str, Callable[[bytes, int], bytes]] = {
            "gzip": lambda body, limit: _inflate("gzip", lambda: _Zlib(31), body, limit),
            "x-gzip": lambda body, limit: _inflate("gzip", lambda: _Zlib(31), body, limit),
            "deflate": _deflate,
            "zstd": lambda body, limit: _inflate("zstd", _zstd, body, limit),
            "lz4": lambda body, limit: _inflate("lz4", lz4.frame.LZ4FrameDecompressor, body, limit),
            "snappy": _snappy,
        }

    def reads(self, encoding: str) -> bool:
        """Say whether the HTTP content coding is one it reads."""
        return encoding in self._readers

    def decompress(self, encoding: str, body: bytes, bytes_max: int) -> bytes:
        """Return the body. Raises UnsupportedMedia, TooLarge (more than ``bytes_max`` would come out) or InvalidInput."""
        reader = self._readers.get(encoding)
        if reader is None:
            raise UnsupportedMedia(f"content encoding '{encoding}' is not one we read", field="Content-Encoding")
        return reader(body, bytes_max)


def _inflate(name: str, begin: Callable[[], _Stream], body: bytes, bytes_max: int) -> bytes:
    """Decompress all members of the body, one behind the other."""
    view = memoryview(body)
    out = io.BytesIO()
    start, members = 0, 0
    while start < len(view) or not members:
        members += 1
        if members > MEMBERS_MAX:
            raise InvalidInput(f"the {name} body has more than {MEMBERS_MAX} members")
        try:
            start = _inflate_member(begin(), view, start, out, bytes_max)
        except (zlib.error, zstd.ZstdError, RuntimeError) as error:  # lz4 raises RuntimeError
            raise InvalidInput(f"the {name} body is broken near byte {start}: {_reason(error)}") from error
        if start < 0:
            raise InvalidInput(f"the {name} body is cut off: it ends after {len(view)} bytes, before its end mark")
    return out.getvalue()


def _inflate_member(stream: _Stream, view: memoryview, start: int, out: io.BytesIO, bytes_max: int) -> int:
    """Write one member to ``out``. Returns where the next one starts, or -1 when the body ends too early."""
    while not stream.eof:
        piece = b""
        if stream.needs_input:
            piece = bytes(view[start : start + _INPUT_BYTES])
            if not piece:
                return -1
            start += len(piece)
        out.write(stream.decompress(piece, min(_OUTPUT_BYTES, bytes_max - out.tell() + 1)))
        if out.tell() > bytes_max:
            raise _too_large(bytes_max)
    return start - len(stream.unused_data or b"")


def _zstd() -> _Stream:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG_MAX})


def _deflate(body: bytes, bytes_max: int) -> bytes:
    """Read ``deflate`` as the zlib format the standard means, or as the bare stream that many send."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate("deflate", lambda: _Zlib(15 if wrapped else -15), body, bytes_max)


def _snappy(body: bytes, bytes_max: int) -> bytes:
    """Read the framed format when its stream mark is there, else one raw block."""
    framed = body.startswith(_SNAPPY_STREAM)
    size = _framed_size(body) if framed else _block_size(body, 0)
    if size > bytes_max:
        raise _too_large(bytes_max)
    try:
        return bytes(cramjam.snappy.decompress(body) if framed else cramjam.snappy.decompress_raw(body))
    except (cramjam.DecompressionError, OSError) as error:
        raise InvalidInput(f"the snappy body is broken: {_reason(error)}") from error


def _framed_size(body: bytes) -> int:
    """Return how much the framed body says it holds, from the heads of its chunks alone."""
    position, size, chunks = 0, 0, 0
    while position < len(body):
        chunks += 1
        kind, length = body[position], int.from_bytes(body[position + 1 : position + 4], "little")
        end = position + 4 + length
        if end > len(body) or chunks > _SNAPPY_CHUNKS_MAX:
            raise InvalidInput("the snappy body is cut off or has too many chunks")
        if kind in (0, 1):  # both start with a checksum of 4 bytes
            size += min(_block_size(body, position + 8) if kind == 0 else length - 4, _SNAPPY_BLOCK_BYTES)
        position = end
    return size


def _block_size(body: bytes, position: int) -> int:
    """Return the size in the preamble of a raw block: a varint of at most 5 bytes."""
    size = 0
    for index, byte in enumerate(body[position : position + 5]):
        size |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return size
    raise InvalidInput("the snappy body is broken: no length at its start")


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the body is larger than {bytes_max} bytes after decompression")


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
