"""Content encodings of the HTTP interface: bounded decoding of request bodies, streaming encoding of answers."""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]

from zero.embedded.clickhouse.errors import EngineError
from zero.embedded.clickhouse.feed import PIECE_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_WINDOW_LOG_MAX = 27  # 128 MiB


class Encoder(Protocol):
    """A streaming compressor."""

    def compress(self, data: bytes) -> bytes:
        """Return what is ready."""

    def flush(self) -> bytes:
        """Return the rest."""


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(head + self._frame.compress(data))

    def flush(self) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        return bytes(head + self._frame.flush())


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "zstd": lambda: zstd.ZstdCompressor(level=1),
    "lz4": _Lz4Encoder,
    "gzip": lambda: zlib.compressobj(level=3, wbits=31),
    "deflate": lambda: zlib.compressobj(level=3),
}


def pick_encoding(accepted: str) -> str | None:
    """Return the first encoding of an Accept-Encoding header that is known here, in our order of preference."""
    names = {part.split(";")[0].strip().lower() for part in accepted.split(",")}
    return next((name for name in _ENCODERS if name in names), None)


def encoder(name: str) -> Encoder:
    """Return a fresh compressor."""
    return _ENCODERS[name]()


def decoded(encoding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the decoded body in pieces of at most ``PIECE_BYTES``. Raises EngineError 354 on damaged data, 48 on others."""
    decoders: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]
    decoders = {
        "": iter,
        "identity": iter,
        "gzip": _inflate,
        "deflate": _inflate,
        "zstd": _unzstd,
        "lz4": _unlz4,
    }
    if encoding not in decoders:
        raise EngineError(48, "NOT_IMPLEMENTED", f"Unknown compression method: {encoding}")
    try:
        yield from decoders[encoding](pieces)
    except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:
        raise EngineError(354, "ZLIB_INFLATE_FAILED", f"Cannot decode the {encoding} body: {error}") from error


def _inflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    machine = zlib.decompressobj(wbits=47)  # zlib and gzip heads alike
    for piece in pieces:
        rest = piece
        while rest:
            out = machine.decompress(rest, PIECE_BYTES)
            if out:
                yield out
            rest = machine.unconsumed_tail
            if machine.eof:
                rest = machine.unused_data
                machine = zlib.decompressobj(wbits=47) if rest else machine
                if not rest:
                    break
    if not machine.eof:
        raise EOFError("the body ends early")


class _Frame(Protocol):
    """A decoder of one frame, as the standard library shapes them."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _frames(new_frame: Callable[[], _Frame], pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decode frames that follow one another. A body that ends within a frame is an error: its data would be half a body."""
    frame = new_frame()
    for piece in pieces:
        rest: bytes | None = piece
        while rest is not None:
            if frame.eof:
                frame = new_frame()
            out = frame.decompress(rest, PIECE_BYTES)
            if out:
                yield out
            more = None if frame.needs_input else b""
            rest = (frame.unused_data or None) if frame.eof else more
    if not frame.eof:
        raise EOFError("the body ends early")


def _unlz4(pieces: Iterable[bytes]) -> Iterator[bytes]:
    return _frames(lz4.frame.LZ4FrameDecompressor, pieces)


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    return _frames(lambda: zstd.ZstdDecompressor(options=options), pieces)
