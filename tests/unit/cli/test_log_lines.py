"""What of a stranger's text reaches a terminal."""

import json

import pytest

from zero.cli.log_lines import json_line, printable

HOSTILE = "\x1b[2J\x9b2J\x07\x7f\x85\u061c\u200b\u200e\u202e\u2066\u2060\ufff9\U000e0041"


@pytest.mark.parametrize("character", HOSTILE)
def test_no_character_is_obeyed_that_is_not_seen(character):
    assert printable(f"a{character}b") in ("ab", f"a{character}b" if character.isprintable() else "ab")
    line = json_line({"message": f"a{character}b"})
    assert line.isprintable()
    assert json.loads(line) == {"message": f"a{character}b"}


def test_words_in_any_language_stay_as_they_are():
    words = "naïve 日本語 शक्\u200dति 👩\u200d💻"
    assert printable(words) == words
