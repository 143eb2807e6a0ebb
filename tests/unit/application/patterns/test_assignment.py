"""Ids for the lines of a text: as many as there are lines, the same for what belongs together, whatever the chunks."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.application.patterns import assignment
from zero.application.patterns.assignment import group_ids, masked_ids
from zero.domain.errors import TooLarge
from zero.domain.pattern import format_pattern_id
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()
LINES = [f"Invalid user {name} from 10.0.0.{at}" for at, name in enumerate(["admin", "oracle", "git", "ftp", "x1"])]


def assigned(text: bytes, ids=group_ids) -> list[str]:
    return b"".join(ids(io.BytesIO(text), CODEC.pattern_lines)).decode().splitlines()


def test_lines_of_a_group_have_the_id_of_its_first_pattern() -> None:
    found = assigned("\n".join([*LINES, "something else"]).encode())
    assert found == [format_pattern_id(CODEC.pattern_id(LINES[0]))] * 5 + [
        format_pattern_id(CODEC.pattern_id("something else"))
    ]


def test_masks_alone_give_the_ids_that_entries_are_stored_with() -> None:
    assert assigned("\n".join(LINES).encode(), masked_ids) == [format_pattern_id(CODEC.pattern_id(line)) for line in LINES]


@given(st.lists(st.sampled_from([*(line.encode() for line in LINES), b"", b"\xff\xfe", b"took 5 ms\r", "é".encode()])))
@settings(max_examples=100, deadline=None)
def test_there_is_one_id_for_each_line_however_the_text_is_cut(lines: list[bytes]) -> None:
    text = b"".join(line + b"\n" for line in lines)
    whole = assigned(text)
    assert len(whole) == len(lines)
    for size in (1, 7, 40):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(assignment, "CHUNK_BYTES", size)
            assert assigned(text) == whole
            assert len(assigned(text[:-1])) == len(lines[:-1]) + (1 if lines and lines[-1] else 0)


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "LINE_BYTES_MAX", 100)
    monkeypatch.setattr(assignment, "CHUNK_BYTES", 64)
    with pytest.raises(TooLarge):
        assigned(b"x" * 1000)


def test_texts_beyond_the_bound_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "TEXTS_MAX", 4)
    found = assigned("\n".join(LINES).encode())
    assert len(set(found)) == 2
    assert found[4] == format_pattern_id(CODEC.pattern_id(LINES[4]))
