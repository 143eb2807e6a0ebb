"""Words and phrases: what of a message or a question is compared, and with what weight words stand for each other."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources

SYNONYM_WEIGHT = 0.7
PREFIX_WEIGHT = 0.5
PART_WEIGHT = 0.5  # of a word of a phrase
PHRASE_WORDS_MAX = 4
PREFIX_CHARS_MIN = 3
WORDS_MAX = 256
QUESTION_WORDS_MAX = 16

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+")
# Words that a sentence needs and a search does not.
_SMALL = """
a about after all an and any are as at be been before being but by can could did do does for from get had has have he
her here his how i if in into is it its just may me might much must my no not of on or our out over she should so some
somebody someone something such than that the their them then there these they this those to under was we were what when
where which while who why will with would you your
"""
_STOP = frozenset(_SMALL.split())
# The first that fits is taken off, or replaced, when at least three letters remain.
_ENDINGS = (
    *(("ations", "ate"), ("ation", "ate"), ("ators", "ate"), ("ator", "ate"), ("ments", "ment"), ("ities", "ity")),
    *(("ions", ""), ("ion", ""), ("ies", "y"), ("ied", "y"), ("ings", ""), ("ing", ""), ("ed", ""), ("ses", "s"), ("xes", "x")),
    *(("ly", ""), ("s", "")),
)
_STEMS_MAX = 1 << 16
_KEPT = ("ss", "us", "is", "ply")
_STEM_CHARS_MIN = 3


def split_identifiers(text: str) -> str:
    """Return the text as words with blanks between them: camelCase, snake_case and dotted names are taken apart."""
    return " ".join(_WORD.findall(_CAMEL.sub(" ", text)))


def content_words(text: str) -> list[str]:
    """Return the distinct words that carry meaning, lowered, in order; at most WORDS_MAX."""
    words = (word.lower() for word in split_identifiers(text).split())
    return list(dict.fromkeys(word for word in words if len(word) > 1 and word not in _STOP))[:WORDS_MAX]


def _phrases(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the phrases that have synonyms, from the left, the longest at each place."""
    stems = [stem(word) for word in words]
    start = 0
    while start < len(stems):
        longest = range(min(len(stems), start + PHRASE_WORDS_MAX), start + 1, -1)
        end = next((end for end in longest if "-".join(stems[start:end]) in _synonyms()), start + 1)
        if end > start + 1:
            yield start, end
        start = end


def text_terms(text: str) -> dict[str, str]:
    """Return what of a text may answer a question, stems of words and of hyphened phrases, and how each is written there."""
    words = [word.lower() for word in split_identifiers(text).split()]
    terms: dict[str, str] = {}
    for written in (*content_words(text), *(" ".join(words[start:end]) for start, end in _phrases(words))):
        terms.setdefault(term(written.replace(" ", "-")), written)
    return terms


@lru_cache(_STEMS_MAX)
def stem(word: str) -> str:
    """Return what the forms of an English word have in common, or nearly so."""
    for ending, instead in _ENDINGS:
        rest = word[: len(word) - len(ending)]
        if word.endswith(ending) and len(rest) >= _STEM_CHARS_MIN and not word.endswith(_KEPT):
            word = rest + instead
            break
    if len(word) > _STEM_CHARS_MIN and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > _STEM_CHARS_MIN else word


def term(words: str) -> str:
    """Return the stem of a word, or those of the words of a phrase, which are joined by hyphens."""
    return "-".join(stem(word) for word in words.split("-"))


@cache
def _synonyms() -> Mapping[str, frozenset[str]]:
    """Return for each stem those that can stand for it."""
    found: dict[str, set[str]] = defaultdict(set)
    text = resources.files("zero.application.meaning").joinpath("synonyms.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            stems = {term(word) for word in line.split()}
            for one in stems:
                found[one] |= stems
    return {one: frozenset(others) for one, others in found.items()}


def weights(word: str) -> dict[str, float]:
    """Return the terms that answer a word or phrase of a question, each with its weight: 1 for itself."""
    own = term(word)
    parts = {stem(one): PART_WEIGHT for one in word.split("-") if len(one) > 1 and one not in _STOP}
    return {**parts, **dict.fromkeys(_synonyms().get(own, ()), SYNONYM_WEIGHT), own: 1.0}


def is_prefix(asked: str, word: str) -> bool:
    """Say whether the word begins with the one asked for, as ``authentication`` does with ``auth``."""
    return len(asked) >= PREFIX_CHARS_MIN and word.startswith(asked)


def question_words(question: str) -> Sequence[str]:
    """Return what a question asks for, at most QUESTION_WORDS_MAX words or hyphened phrases.

    A question of small words alone keeps them.
    """
    words = [word.lower() for word in split_identifiers(question).split()]
    for start, end in reversed(list(_phrases(words))):
        words[start:end] = ["-".join(words[start:end])]
    chosen = dict.fromkeys(word for word in words if len(word) > 1 and word not in _STOP)
    return (list(chosen) or words)[:QUESTION_WORDS_MAX]


def matches(question: Sequence[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield (word asked for, word of the text) for each word of the question that the text answers, its best match."""
    terms = text_terms(text)
    for asked in question:
        known = weights(asked)
        scored = [(known.get(of, PREFIX_WEIGHT if is_prefix(asked, of) else 0.0), written) for of, written in terms.items()]
        best = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
        if best[0]:
            yield asked.replace("-", " "), best[1]
