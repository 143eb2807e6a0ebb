"""Grouping masked texts: what differs only in free words, such as the names of users, belongs together.

It is a tree of one level that follows from the set of texts, not from their order. Texts of the same *shape*, which is all of
them but their words, are compared word by word. A place becomes a wildcard

- where texts that are otherwise the same have enough different words. How many are enough depends on how likely the place holds
  a value: three behind "user", four behind "for", "from", "=" and their like, six elsewhere, ten in a text with hardly
  any other word; twice as many when they are verbs ("VM Started", "VM Paused"), and twenty where words
  say what the text or a value is about: at the start, and in the names of key=value pairs;
- where one of the texts has a mask there already, unless it names a value: what is a number in one message is a value in all;
- where texts of at least eight words in common, and a quarter at most that differ, come in at least four variants.

This is repeated until nothing changes, because texts that differ in two places become alike in one. Words like "true" and
"null" are choices of the program, not values, and stay. docs/decisions/0250 has the reasons and the figures.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zero.domain.pattern import WILDCARD

Words = tuple[str, ...]

_SIGNS = frozenset("=:,;()[]{}\"'|<>")
_PIECE = re.compile(r"<\*>|[^\s=:,;()\[\]{}\"'|<>]+|\s+|[=:,;()\[\]{}\"'|<>]")
_KEY_ENDS = re.compile(r"\s?=|[\"']:")
_STARS = re.compile(r"\*{2,}")
_WORD, _BLANK = "w", " "
_CHOICES = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off"})
_NAMES_FOLLOW = frozenset({"user", "username", "account"})
_VALUES_FOLLOW = frozenset(
    {"for", "from", "by", "users", "host", "hostname", "name", "named", "client", "group", "owner", "login"}
)


@dataclass(frozen=True, slots=True)
class MinerOptions:
    """How many different words make a place variable, and from when on long texts are variants of one.

    Texts of more than ``words_max`` words stand alone, and of the ways in which texts of one shape have wildcards the most
    common ``wildcards_max`` are followed: so the cost of a text is bounded.
    """

    behind_name: int = 3
    behind_value: int = 4
    elsewhere: int = 6
    hardly_alone: int = 10
    at_start: int = 20
    alike_words: int = 8
    variants: int = 4
    words_max: int = 64
    wildcards_max: int = 32


@dataclass(frozen=True, slots=True)
class Groups:
    """``of[i]`` is the number of the group of text ``i``; ``texts`` holds each group's text, ``<*>`` where members differ."""

    of: Sequence[int]
    texts: Sequence[str]


def shape_of(text: str) -> tuple[str, Words]:
    """Return what texts have to share to be compared, and the words in which they may differ."""
    shape: list[str] = []
    words: list[str] = []
    for piece in _PIECE.findall(text):
        if piece.isspace():
            shape.append(_BLANK)
        elif piece in _SIGNS:
            shape.append(piece)
        else:
            word = WILDCARD if _STARS.fullmatch(piece) and words[-1:] == [WILDCARD] else piece
            if word == WILDCARD and words[-1:] == [WILDCARD] and shape[-2:] == [_WORD, _BLANK]:
                shape.pop()
                continue
            shape.append(_WORD)
            words.append(word)
    return "".join(shape), tuple(words)


def group_texts(texts: Sequence[str], options: MinerOptions | None = None) -> Groups:
    """Return the groups of the texts; they follow from the set of texts. Groups are numbered as they are met."""
    options = options or MinerOptions()
    parsed = [shape_of(text) for text in texts]
    buckets: dict[str, set[Words]] = defaultdict(set)
    for shape, words in parsed:
        buckets[shape].add(words)
    general = {shape: _Bucket(shape, options).general(members) for shape, members in buckets.items()}
    numbers: dict[tuple[str, Words], int] = {}
    of = [numbers.setdefault((shape, general[shape][words]), len(numbers)) for shape, words in parsed]
    members: dict[int, set[str]] = defaultdict(set)
    for number, text in zip(of, texts, strict=True):
        members[number].add(text)
    rendered = [_render(shape, words) for shape, words in numbers]
    return Groups(of, [next(iter(members[n])) if len(members[n]) == 1 else text for n, text in enumerate(rendered)])


def _render(shape: str, words: Words) -> str:
    """Return the text with that shape and these words."""
    left = iter(words)
    return "".join(next(left) if part == _WORD else part for part in shape)


class _Bucket:
    """Texts of one shape, as their words."""

    def __init__(self, shape: str, options: MinerOptions) -> None:
        self._options = options
        places = [(shape[: place.start()].rstrip(_BLANK), shape[place.end() :]) for place in re.finditer(_WORD, shape)]
        self._is_value = [before.endswith("=") for before, _ in places]
        self._is_key = [_KEY_ENDS.match(behind) is not None for _, behind in places]

    def general(self, texts: Iterable[Words]) -> Mapping[Words, Words]:
        """Return each text with its variable places as wildcards."""
        now = {words: words for words in texts}
        if len(now) == 1 or len(next(iter(now))) > self._options.words_max:
            return now
        while True:
            distinct = set(now.values())
            moved = self._merge_siblings(distinct) or self._follow_wildcards(distinct) or self._merge_variants(distinct)
            if not moved:
                return now
            now = {words: moved.get(general, general) for words, general in now.items()}

    def _merge_siblings(self, texts: set[Words]) -> dict[Words, Words]:
        """Return what becomes of texts that are the same but for one word, where that varies enough."""
        values: dict[tuple[int, int, int], set[str]] = defaultdict(set)
        keys = {words: _keys(words) for words in texts}
        for words, places in keys.items():
            for key, word in zip(places, words, strict=True):
                values[key].add(word)
        moved = {}
        for words, places in keys.items():
            if all(len(values[key]) == 1 for key in places):
                continue
            general = tuple(
                WILDCARD if len(values[key]) > 1 and self._varies(words, place, values[key]) else word
                for place, (key, word) in enumerate(zip(places, words, strict=True))
            )
            if general != words:
                moved[words] = general
        return moved

    def _varies(self, words: Words, place: int, values: set[str]) -> bool:
        """Say whether the words found at a place, the others being the same, are values of a variable."""
        options = self._options
        others = sum(word != WILDCARD for at, word in enumerate(words) if at != place)
        if WILDCARD in values or not others or values <= _CHOICES:
            return False
        previous = words[place - 1].lower() if place else ""
        if place == 0 or self._is_key[place]:
            needed = options.at_start
        elif previous in _NAMES_FOLLOW and not self._is_value[place]:
            needed = options.behind_name
        elif self._is_value[place] or previous in _VALUES_FOLLOW:
            needed = options.behind_value
        else:
            needed = options.hardly_alone if others < 2 else options.elsewhere
        verbs = sum(word.endswith(("ed", "ing")) for word in values)
        return len(values) >= (2 * needed if 2 * verbs >= len(values) else needed)

    def _follow_wildcards(self, texts: set[Words]) -> dict[Words, Words]:
        """Return what becomes of texts that equal another one but for its wildcards."""
        moved: dict[Words, Words] = {}
        found = Counter(tuple(at for at, word in enumerate(words) if word == WILDCARD) for words in texts)
        common = sorted(found, key=lambda places: (-found[places], places))
        for places in common[: self._options.wildcards_max]:
            for words in texts:
                changed = [at for at in places if words[at] != WILDCARD]
                if not changed or words in moved or any(words[at] in _CHOICES or self._is_key[at] for at in changed):
                    continue
                wild = set(places)
                general = tuple(WILDCARD if at in wild else word for at, word in enumerate(words))
                others = sum(word != WILDCARD for word in general)
                if general in texts and others >= (4 if 0 in changed else len(changed)):
                    moved[words] = general
        return moved

    def _merge_variants(self, texts: set[Words]) -> dict[Words, Words]:
        """Return what becomes of long texts that begin alike and differ in few places."""
        moved: dict[Words, Words] = {}
        waiting = [part for part in _split(sorted(texts), 0) if len(part) >= self._options.variants]
        while waiting:
            group = waiting.pop()
            columns = [set(column) for column in zip(*group, strict=True)]
            varying = [at for at, column in enumerate(columns) if len(column) > 1]
            if not varying:
                continue
            alike = sum(len(column) == 1 and WILDCARD not in column for column in columns)
            chosen = any(columns[at] & _CHOICES for at in varying)
            if alike >= self._options.alike_words and 4 * len(varying) <= alike + len(varying) and not chosen:
                differs = set(varying)
                general = tuple(WILDCARD if at in differs else word for at, word in enumerate(group[0]))
                moved |= dict.fromkeys((words for words in group if words != general), general)
            else:
                narrowest = min(varying, key=lambda at: (len(columns[at]), at))
                waiting += [part for part in _split(group, narrowest) if len(part) >= self._options.variants]
        return moved


def _keys(words: Words) -> list[tuple[int, int, int]]:
    """Return for each place a key that texts share which are the same everywhere else."""
    behind = [0]
    for word in reversed(words):
        behind.append(hash((behind[-1], word)))
    keys, front = [], 0
    for place, word in enumerate(words):
        keys.append((place, front, behind[len(words) - 1 - place]))
        front = hash((front, word))
    return keys


def _split(texts: Iterable[Words], place: int) -> list[list[Words]]:
    """Return the texts by their word at the place."""
    parts: dict[str, list[Words]] = defaultdict(list)
    for words in texts:
        if words:
            parts[words[place]].append(words)
    return list(parts.values())
