"""Embeddings: texts as vectors, near each other when they mean similar things."""

from collections.abc import Sequence
from typing import Protocol

Vector = Sequence[float]


class Embedder(Protocol):
    """Makes vectors. Where the work is done elsewhere it raises Unavailable, also when it is refused, and Overloaded when a
    bound of cost is reached; the next try may pass. What they say is for the log, without any part of a key.

    ``name`` tells its vectors from those of any other embedder, model or way of preparing texts. ``text_weight`` is how much
    matching words count beside its vectors in a hybrid search: more for one that knows words alone. ``batch_texts`` is how many
    texts are best given at once now, at least 1: what fails, fails as a whole.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def text_weight(self) -> float: ...

    @property
    def batch_texts(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector for each text of the corpus."""

    async def embed_question(self, text: str) -> Vector:
        """Return the vector of a question, comparable with those of ``embed``."""
