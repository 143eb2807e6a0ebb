"""What PostgreSQL cannot hold comes back as it was, and keeps its order and its parts."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from zero.infrastructure.postgres.values import from_json, from_text, signed, to_json, to_text, unsigned

TEXTS = st.text(st.sampled_from("\0\1\2\3ab\\é"), max_size=8) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(TEXTS, TEXTS)
def test_a_text_comes_back_has_no_nul_and_is_part_of_another_exactly_when_it_was(text: str, part: str) -> None:
    stored = to_text(text)
    assert from_text(stored) == text
    assert "\0" not in stored
    assert (to_text(part) in stored) == (part in text)


@given(st.text(st.sampled_from("\0\1\2\3a"), max_size=6), st.text(st.sampled_from("\0\1\2\3a"), max_size=6))
def test_texts_keep_their_order(one: str, other: str) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)


@given(st.dictionaries(TEXTS, TEXTS | NUMBERS | st.booleans()))
def test_metadata_comes_back_with_its_types(metadata: dict[str, str | int | float | bool]) -> None:
    found = from_json(to_json(metadata))
    assert found == metadata
    assert [type(found[key]) for key in metadata] == [type(value) for value in metadata.values()]
    zeros = [key for key, value in metadata.items() if value == 0 and isinstance(value, float)]
    assert [math.copysign(1, found[key]) for key in zeros] == [math.copysign(1, metadata[key]) for key in zeros]  # type: ignore[arg-type]
    assert "\\u0000" not in json.dumps(json.loads(to_json(metadata)))


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_numbers_of_64_bits_fit_and_keep_their_order(one: int, other: int) -> None:
    assert -(2**63) <= signed(one) < 2**63
    assert unsigned(signed(one)) == one
    assert (signed(one) < signed(other)) == (one < other)
