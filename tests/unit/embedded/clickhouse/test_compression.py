"""Content encodings: what was encoded comes back, cut bodies do not, and memory stays bounded."""

import gzip
import random
import sys
import zlib

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.embedded.clickhouse.compression import decoded, encoder, pick_encoding
from zero.embedded.clickhouse.errors import EngineError
from zero.embedded.clickhouse.feed import PIECE_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODE = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstd.compress, "lz4": lz4.frame.compress}


@pytest.mark.parametrize("encoding", ENCODE)
@given(data=st.binary(max_size=5000), sizes=st.lists(st.integers(1, 400), min_size=1))
def test_a_body_in_any_pieces_comes_back(encoding: str, data: bytes, sizes: list[int]) -> None:
    packed = ENCODE[encoding](data)
    pieces, start, turn = [], 0, 0
    while start < len(packed):
        pieces.append(packed[start : start + sizes[turn % len(sizes)]])
        start, turn = start + len(pieces[-1]), turn + 1
    assert b"".join(decoded(encoding, pieces)) == data


@pytest.mark.parametrize("encoding", ENCODE)
def test_a_body_cut_anywhere_is_refused(encoding: str) -> None:
    packed = ENCODE[encoding](random.Random(1).randbytes(300))
    for end in range(1, len(packed)):
        with pytest.raises(EngineError, match="Cannot decode"):
            list(decoded(encoding, [packed[:end]]))


@pytest.mark.parametrize("encoding", ENCODE)
def test_a_bomb_comes_in_bounded_pieces(encoding: str) -> None:
    pieces = decoded(encoding, [ENCODE[encoding](bytes(30_000_000))])
    assert max(len(next(pieces)) for _ in range(20)) <= PIECE_BYTES


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
def test_bodies_may_follow_one_another(encoding: str) -> None:
    assert b"".join(decoded(encoding, [ENCODE[encoding](b"a") + ENCODE[encoding](b"b")])) == b"ab"


@pytest.mark.parametrize(("accepted", "picked"), [("gzip, zstd;q=1", "zstd"), ("LZ4", "lz4"), ("br", None), ("", None)])
def test_the_encoding_of_an_answer_is_one_that_was_accepted(accepted: str, picked: str | None) -> None:
    assert pick_encoding(accepted) == picked


@pytest.mark.parametrize("encoding", ENCODE)
def test_an_answer_comes_back(encoding: str) -> None:
    machine = encoder(encoding)
    packed = machine.compress(b"one ") + machine.compress(b"two") + machine.flush()
    assert b"".join(decoded(encoding, [packed])) == b"one two"
