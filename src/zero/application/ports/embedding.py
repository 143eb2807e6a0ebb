"""Texts as vectors: what lies near has to do with the same."""

from collections.abc import Sequence
from typing import Protocol

Vector = Sequence[float]


class Embedder(Protocol):
    """Makes vectors. Raises Unavailable or Overloaded where the work is done elsewhere; the next try may pass.

    ``name`` tells its vectors from those of any other embedder, model or way of preparing texts. ``text_weight`` is how much
    matching words count beside its vectors in a hybrid search: more for one that knows words alone.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def text_weight(self) -> float: ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Return a vector for each text that may be found."""

    async def embed_question(self, text: str) -> Vector:
        """Return the vector of a text that is looked for."""
