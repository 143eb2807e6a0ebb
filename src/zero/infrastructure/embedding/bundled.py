"""WordLlama's vectors of word pieces, averaged: small, offline, thousands of texts a second.

The weights are read where the package ``wordllama`` has them, without its code: that looks for the tokenizer in a folder where
it is not, sets up logging, and copies the weights into memory as 32-bit floats. Mapped as they are, 16-bit, they cost only the
pages that are used.
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from zero.application.meaning.words import content_words
from zero.domain.errors import ConfigurationError
from zero.infrastructure.embedding.installed import file_of

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_HEADER_BYTES = 8


class BundledEmbedder:
    """Implements Embedder. Loads at the first use."""

    name = "wordllama-256-1"
    dimensions = 256
    text_weight = 1.1
    batch_texts = 1_000

    def __init__(self) -> None:
        self._loading = threading.Lock()

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Average the vectors of each text's distinct words."""
        return await asyncio.to_thread(self._embed, texts)

    async def embed_question(self, text: str) -> Sequence[float]:
        """Do the same for a question."""
        return (await self.embed([text]))[0]

    def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        with self._loading:
            tokenizer, weights = self._tokenizer, self._weights
        prepared = [" ".join(content_words(text)) or text for text in texts]
        encoded = tokenizer.encode_batch(prepared, add_special_tokens=False)
        return [_unit(weights, encoding.ids).tolist() for encoding in encoded]

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        path = file_of("wordllama", TOKENIZER)
        if path is None:
            raise ConfigurationError(f"the package wordllama is not installed, or has no {TOKENIZER}")
        return Tokenizer.from_file(str(path))

    @cached_property
    def _weights(self) -> "np.ndarray[tuple[int, int], np.dtype[np.float16]]":
        import numpy as np  # a process that embeds nothing does without

        path = file_of("wordllama", WEIGHTS)
        if path is None:
            raise ConfigurationError(f"the package wordllama is not installed, or has no {WEIGHTS}")
        with path.open("rb") as file:
            size = int.from_bytes(file.read(_HEADER_BYTES), "little")
            header = json.loads(file.read(size))
        (tensor,) = (value for name, value in header.items() if name != "__metadata__")
        rows, columns = tensor["shape"]
        if tensor["dtype"] != "F16" or columns != self.dimensions:
            raise ConfigurationError(f"{path} does not hold 16-bit vectors of {self.dimensions} dimensions")
        start = _HEADER_BYTES + size + tensor["data_offsets"][0]
        return np.memmap(path, np.float16, "r", start, (rows, columns))


def _unit(
    weights: "np.ndarray[tuple[int, int], np.dtype[np.float16]]", ids: Sequence[int]
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return the mean of the rows, of length 1; that of the first row when there are none, for a vector needs a direction."""
    import numpy as np

    mean = weights[list(ids) or [0]].astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), dtype=np.float32)
