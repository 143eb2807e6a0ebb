"""An embedder: a text is the groups of three characters in it, counted in a vector of fixed length. It knows no meaning, but
finds what is spelt alike, whatever the endings.

A real one is a file of ``src/zero/infrastructure/embedding``, chosen by ``embedders`` in ``src/zero/bootstrap/meaning.py``.
"""

import math
import zlib
from collections.abc import Sequence

from zero.application.meaning.words import content_words

DIMENSIONS = 512


class TrigramEmbedder:
    """Implements Embedder."""

    name = "trigrams-512-1"  # another number once vectors come out otherwise: those of the former name are then made anew
    dimensions = DIMENSIONS
    text_weight = 2.0  # it knows words alone, so matching words count more
    batch_texts = 1_000  # one that costs money is given fewer at once: what fails, fails as a whole

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Count the trigrams of each text."""
        return [vector(text) for text in texts]

    async def embed_question(self, text: str) -> Sequence[float]:
        """Count those of the question."""
        return vector(text)


def vector(text: str) -> list[float]:
    """Return a vector of length one, or of zeros for a text without words."""
    counts = [0.0] * DIMENSIONS
    for word in content_words(text):
        marked = f"<{word}>"
        for at in range(len(marked) - 2):
            counts[zlib.crc32(marked[at : at + 3].encode()) % DIMENSIONS] += 1.0
    length = math.hypot(*counts) or 1.0
    return [count / length for count in counts]
