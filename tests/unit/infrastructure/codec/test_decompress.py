"""Compressed bodies: whole ones come back, others say what is wrong, none yields more than the limit."""

import gzip
import zlib
from contextlib import suppress

import cramjam
import lz4.frame
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from zero.domain.errors import InvalidInput, TooLarge, UnsupportedMedia
from zero.infrastructure.codec.decompress import MEMBERS_MAX, BoundedDecompressor

LIMIT = 1 << 20


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


COMPRESSORS = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "zstd": ("zstd", zstd.compress),
    "lz4": ("lz4", lz4.frame.compress),
    "snappy block": ("snappy", lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy frames": ("snappy", lambda data: bytes(cramjam.snappy.compress(data))),
}
MEMBERED = {"gzip": gzip.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}


@pytest.fixture(params=COMPRESSORS)
def coding(request):
    return COMPRESSORS[request.param]


def read(encoding: str, body: bytes, limit: int = LIMIT) -> bytes:
    return BoundedDecompressor().decompress(encoding, body, limit)


@given(data=st.binary(min_size=1, max_size=2000), repeat=st.integers(1, 200))
def test_every_coding_gives_back_what_was_compressed(data, repeat):
    for encoding, compress in COMPRESSORS.values():
        assert read(encoding, compress(data * repeat)) == data * repeat


def test_a_body_of_just_the_limit_passes_and_one_byte_more_does_not(coding):
    encoding, compress = coding
    data = b"0123456789abcdef" * (LIMIT // 16)
    assert read(encoding, compress(data)) == data
    with pytest.raises(TooLarge, match="larger than 1048576 bytes after decompression"):
        read(encoding, compress(data + b"!"))


def test_a_body_cut_anywhere_is_refused(coding):
    encoding, compress = coding
    data = bytes(range(256)) * 20
    whole = compress(data)
    for end in (0, 1, 5, len(whole) // 2, len(whole) - 1):
        try:
            assert read(encoding, whole[:end]) != data
            assert whole.startswith(
                b"\xff\x06\x00\x00sNaPpY"
            )  # framed snappy has no end mark: a cut between chunks is no error
        except InvalidInput:
            pass


@pytest.mark.parametrize("encoding", MEMBERED)
def test_members_behind_each_other_are_one_body_and_garbage_behind_them_is_refused(encoding):
    compress = MEMBERED[encoding]
    assert read(encoding, compress(b"one") + compress(b"two") + compress(b"")) == b"onetwo"
    with pytest.raises(InvalidInput, match="is broken near byte"):
        read(encoding, compress(b"one") + b"garbage")


@pytest.mark.parametrize("encoding", MEMBERED)
def test_members_are_bounded(encoding):
    empty = MEMBERED[encoding](b"")
    assert read(encoding, empty * MEMBERS_MAX) == b""
    with pytest.raises(InvalidInput, match=f"more than {MEMBERS_MAX} members"):
        read(encoding, empty * (MEMBERS_MAX + 1))


def test_a_zstd_window_above_8_mib_is_refused():
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    body = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(20)) + compressor.flush()
    with pytest.raises(InvalidInput, match="too much memory"):
        read("zstd", body, 1 << 30)


def test_snappy_that_lies_about_its_size_is_refused():
    with pytest.raises(TooLarge):
        read("snappy", b"\xff\xff\xff\xff\x0fabc")
    with pytest.raises(InvalidInput):
        read("snappy", b"\x10abc")
    with pytest.raises(InvalidInput, match="no length"):
        read("snappy", b"\xff" * 20)


@given(body=st.binary(max_size=300))
def test_garbage_is_refused_or_read_but_never_crashes(body):
    for encoding, compress in COMPRESSORS.values():
        head = compress(b"hello world")[:8]
        for data in (body, head + body):
            with suppress(InvalidInput):
                assert len(read(encoding, data)) <= LIMIT


def test_an_unknown_coding_is_unsupported():
    assert not BoundedDecompressor().reads("br")
    assert BoundedDecompressor().reads("zstd")
    with pytest.raises(UnsupportedMedia, match="'br' is not one we read"):
        read("br", b"")
