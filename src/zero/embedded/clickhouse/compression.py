"""Content encodings of the HTTP interface: bounded decoding of request bodies, streaming encoding of answers."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from zero.embedded.clickhouse.errors import EngineError
from zero.embedded.clickhouse.feed import PIECE_BYTES

_WINDOW_BYTES_MAX = 128 << 20


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
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
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
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as error:
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


def _unlz4(pieces: Iterable[bytes]) -> Iterator[bytes]:
    machine = lz4.frame.LZ4FrameDecompressor()
    for piece in pieces:
        rest: bytes | None = piece
        while rest is not None:
            out = machine.decompress(rest, PIECE_BYTES)
            if out:
                yield out
            if machine.eof:
                rest = machine.unused_data or None
                if rest is not None:
                    machine.reset()
            else:
                rest = None if machine.needs_input else b""
    if not machine.eof:
        raise EOFError("the body ends early")


class _Reader:
    """Pieces as the file that ``zstandard`` wants to read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    source = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    with source.stream_reader(_Reader(pieces), read_size=PIECE_BYTES, read_across_frames=True) as reader:  # type: ignore[arg-type]
        while piece := reader.read(PIECE_BYTES):
            yield piece
