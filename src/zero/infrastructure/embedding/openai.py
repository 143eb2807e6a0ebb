"""Any endpoint that answers ``POST …/embeddings`` as OpenAI's does: a service, or a server of one's own."""

import asyncio
import http.client
import json
import math
import random
import re
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from zero.domain.errors import ConfigurationError, Overloaded, Unavailable

_HOUR_SECONDS = 3600.0
_ERROR_BYTES = 2000
_ANSWER_BYTES_MAX = 64 << 20
_KEY_REFUSED = frozenset({401, 403})
_KEY_PIECE = 6
_TRY_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    """Where the endpoint is, and the bounds of using it.

    A request has at most ``batch_texts`` texts of ``text_chars`` characters, and is tried ``tries_max`` times, with pauses that
    grow from ``pause_seconds``; ``requests_max`` are under way at a time. ``texts_per_hour_max`` bounds what it may cost.
    ``dimensions`` of 0 are the model's own.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    dimensions: int = 0
    batch_texts: int = 64
    text_chars: int = 4096
    requests_max: int = 4
    tries_max: int = 4
    pause_seconds: float = 0.5
    pause_seconds_max: float = 20.0
    timeout_seconds: float = 30.0
    texts_per_hour_max: int = 20_000

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"ZERO_OPENAI_URL={self.url!r} has to look like https://api.openai.com/v1")
        if not self.model:
            raise ConfigurationError("ZERO_OPENAI_MODEL is empty: name the model of ZERO_EMBEDDER=openai")
        if not self.key.isprintable() or not self.key.isascii():
            raise ConfigurationError("ZERO_OPENAI_KEY has characters that no header can carry")


class OpenAiEmbedder:
    """Implements Embedder. What is sent in an hour is bounded: beyond that it raises Overloaded with the time to wait."""

    text_weight = 0.4

    def __init__(self, options: OpenAiOptions) -> None:
        self._options = options
        place = urlsplit(options.url).hostname
        self.name = f"openai-{place}-{options.model}-{options.dimensions or 'full'}-1"
        self._free = asyncio.Semaphore(options.requests_max)
        self._spent: deque[tuple[float, int]] = deque()

    @property
    def dimensions(self) -> int:
        """As asked for; 0 leaves it to the model."""
        return self._options.dimensions

    @property
    def batch_texts(self) -> int:
        """How many texts to embed next: one request, or what the hour's bound leaves; at least 1, which then is refused."""
        return max(1, min(self._options.batch_texts, self._left(time.monotonic())))

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Ask in batches, some at once. Raises Unavailable, also when the endpoint refuses, or Overloaded."""
        size = self._options.batch_texts
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        answers = await asyncio.gather(*(self._batch(batch) for batch in batches))
        return [vector for vectors in answers for vector in vectors]

    async def embed_question(self, text: str) -> Sequence[float]:
        """Ask for one."""
        return (await self.embed([text]))[0]

    async def _batch(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        body: dict[str, Any] = {"model": self._options.model, "input": [text[: self._options.text_chars] for text in texts]}
        if self._options.dimensions:
            body["dimensions"] = self._options.dimensions
        pause = self._options.pause_seconds
        for tries_left in reversed(range(self._options.tries_max)):
            try:
                async with self._free:
                    self._spend(len(texts))
                    return await asyncio.to_thread(self._ask, body, len(texts))
            except Unavailable as error:
                if not tries_left or isinstance(error, _Refused):
                    raise
                wait = max(pause, error.retry_after_seconds) * (1 + random.random() / 4)  # noqa: S311 - jitter
                if wait > self._options.pause_seconds_max:
                    raise
                await asyncio.sleep(wait)
                pause *= 2
        raise Unavailable("the embedder was not asked")

    def _spend(self, texts: int) -> None:
        """Count what is sent; every try counts, for it may be charged."""
        now = time.monotonic()
        if texts > self._left(now):
            wait = self._spent[0][0] + _HOUR_SECONDS - now if self._spent else _HOUR_SECONDS
            message = f"ZERO_OPENAI_TEXTS_PER_HOUR_MAX={self._options.texts_per_hour_max} texts were sent to the embedder"
            raise Overloaded(message, retry_after_seconds=wait)
        self._spent.append((now, texts))

    def _left(self, now: float) -> int:
        """Return how many texts may still be sent in the hour that ends now."""
        while self._spent and self._spent[0][0] <= now - _HOUR_SECONDS:
            self._spent.popleft()
        return self._options.texts_per_hour_max - sum(count for _, count in self._spent)

    def _ask(self, body: dict[str, Any], count: int) -> list[list[float]]:
        headers = {"Content-Type": "application/json"}
        if self._options.key:
            headers["Authorization"] = f"Bearer {self._options.key}"
        url = f"{self._options.url.rstrip('/')}/embeddings"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - the scheme was checked
        try:
            with _OPENER.open(request, timeout=self._options.timeout_seconds) as answer:
                return _vectors(answer.read(_ANSWER_BYTES_MAX), count)
        except urllib.error.HTTPError as error:
            raise _failure(error, self._options.key) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the embedder at {self._options.url} does not answer: {error}") from error


class _Refused(Unavailable):
    """The endpoint would refuse the same again, until a setting is another."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key belongs to one place: it never follows elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _vectors(data: bytes, count: int) -> list[list[float]]:
    """Return the vectors in the order of the texts. Raises Unavailable on an answer that is none."""
    try:
        items = sorted(json.loads(data)["data"], key=lambda item: item["index"])
        vectors = [[float(value) for value in item["embedding"]] for item in items]
        if [item["index"] for item in items] != list(range(count)) or len({len(vector) for vector in vectors}) > 1:
            raise ValueError("it has not one vector for each text")
        if not all(vector and all(map(math.isfinite, vector)) for vector in vectors):
            raise ValueError("a vector is empty or has something else than numbers")
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise Unavailable(f"the embedder answered with something else than vectors: {error}") from error
    return vectors


def _failure(error: urllib.error.HTTPError, key: str) -> Unavailable:
    text = _without_key(error.read(_ERROR_BYTES).decode(errors="replace"), key)
    if error.code in _KEY_REFUSED:
        text = "it refuses the key"  # what it says shows a part of it
    message = f"the embedder answers with status {error.code}: {text}"
    if error.code not in _TRY_AGAIN:
        return _Refused(f"{message} (check ZERO_OPENAI_URL, ZERO_OPENAI_KEY and ZERO_OPENAI_MODEL)")
    try:
        seconds = float(error.headers.get("Retry-After") or 0)
    except ValueError:
        seconds = 0.0
    return Unavailable(message, retry_after_seconds=min(max(0.0, seconds), _HOUR_SECONDS))


def _without_key(text: str, key: str) -> str:
    """Return the text with stars for each word that has a piece of the key, or is in stars already in part."""
    pieces = {key[start : start + _KEY_PIECE] for start in range(max(1, len(key) - _KEY_PIECE + 1))} - {""} | {"**"}
    return re.sub(r"[^\s\"'<>,:;()]+", lambda word: "***" if any(piece in word[0] for piece in pieces) else word[0], text)
