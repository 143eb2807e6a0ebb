"""BM25 as all stores score the words of a pattern, except that how often a word stands in it does not count."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zero.application.ports import Question

LENGTH_SHARE = 0.15
"""How much of a pattern's length, in averages, counts against it (BM25's b): long ones answer many words by chance."""


@dataclass(frozen=True, slots=True)
class WordWeights:
    """What each word of a question weighs; how many words a pattern has on average; how many patterns there are."""

    weights: Sequence[float]
    words_mean: float
    patterns: int


def own_stems(question: Question) -> list[str]:
    """Return the stem of each word of the question itself, which weighs more than those of its synonyms."""
    return [max(asked.stems, key=lambda stem: asked.stems[stem]) for asked in question.words]


def word_weights(stems: Sequence[str], known: Mapping[str, tuple[int, float]]) -> WordWeights:
    """Weigh the stems by how rare they are among the patterns of a tenant (BM25's inverse document frequency).

    ``known`` maps a stem to how many patterns have it and how many words these have on average; '' stands for all patterns.
    A stem that no pattern has weighs most, so that a question half answered scores half.
    """
    patterns, words_mean = known.get("", (0, 1.0))
    counts = [known[stem][0] if stem in known else 0 for stem in stems]
    weights = [math.log(1 + (max(0, patterns - count) + 0.5) / (count + 0.5)) for count in counts]
    return WordWeights(weights, max(1.0, words_mean), patterns)
