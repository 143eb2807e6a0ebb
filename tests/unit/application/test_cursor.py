import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zero.application.cursor import Cursor, decode_cursor, encode_cursor, search_digest
from zero.domain.errors import InvalidInput
from zero.domain.stored import EntryKey

KEY = EntryKey(1_795_341_600_123_456_789, 2**64 - 1, 2**32 - 1)
DIGEST = search_digest("default", "level:error")
TEXT = encode_cursor(Cursor(5, KEY), DIGEST)


def test_a_cursor_comes_back_as_it_was() -> None:
    assert decode_cursor(TEXT, DIGEST) == Cursor(5, KEY)
    assert TEXT.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_of_another_search_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another search") as caught:
        decode_cursor(TEXT, search_digest("default", "level:fatal"))
    assert caught.value.field == "cursor"


def test_texts_that_only_read_alike_when_joined_are_different_searches() -> None:
    assert search_digest("ab", "c") != search_digest("a", "bc") != search_digest("abc")


@given(st.text(max_size=80) | st.binary(min_size=30, max_size=50).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_a_text_that_no_search_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_cursor(text, DIGEST)
    assert caught.value.field == "cursor"
