"""The adapter of OpenAI-compatible endpoints, against a server of that API on this machine."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.unit.application.meaning.test_upkeep import Shelf, pattern
from zero.application.meaning.embedders import Embedders
from zero.application.meaning.upkeep import MeaningUpkeep
from zero.domain.errors import ConfigurationError, Overloaded, Unavailable
from zero.infrastructure.embedding.openai import OpenAiEmbedder, OpenAiOptions
from zero.infrastructure.memory import ManualClock, MemoryTelemetry

KEY = "sk-test"


class Endpoint(ThreadingHTTPServer):
    """Answers ``POST /v1/embeddings``: a text's vector is its length and its first character. ``failures`` come first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.answer: bytes | None = None
        self.refusal = b'{"error":{"message":"no"}}'
        self.delay = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({**body, "path": self.path, "authorization": self.headers.get("Authorization")})
        if self.server.failures:
            status, headers = self.server.failures.pop(0)
            self._send(status, self.server.refusal, headers)
            return
        width = body.get("dimensions", 2)
        items = [
            {"object": "embedding", "index": index, "embedding": ([len(text), ord(text[0])] * width)[:width]}
            for index, text in enumerate(body["input"])
        ]
        whole = json.dumps(
            {"object": "list", "data": items[::-1], "model": body["model"], "usage": {"total_tokens": 1}}
        ).encode()
        self._send(200, whole if self.server.answer is None else self.server.answer, {})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def embedder(endpoint: Endpoint, **options: Any) -> OpenAiEmbedder:
    return OpenAiEmbedder(OpenAiOptions(endpoint.url, "a-model", KEY, **{"pause_seconds": 0.001, **options}))


async def test_texts_go_in_batches_and_vectors_come_back_in_the_order_of_the_texts(endpoint: Endpoint) -> None:
    texts = ["x" * (number + 1) for number in range(150)]
    vectors = await embedder(endpoint).embed(texts)
    assert [int(vector[0]) for vector in vectors] == list(range(1, 151))
    assert sorted(len(request["input"]) for request in endpoint.requests) == [22, 64, 64]
    assert {request["path"] for request in endpoint.requests} == {"/v1/embeddings"}
    assert {request["authorization"] for request in endpoint.requests} == {f"Bearer {KEY}"}
    assert {request["model"] for request in endpoint.requests} == {"a-model"}


async def test_dimensions_are_asked_for_when_they_are_set_and_are_part_of_the_name(endpoint: Endpoint) -> None:
    short = embedder(endpoint, dimensions=5)
    assert len(await short.embed_question("why")) == 5
    assert (endpoint.requests[0]["dimensions"], short.dimensions) == (5, 5)
    assert short.name != embedder(endpoint).name


async def test_a_long_text_is_cut_and_no_key_sends_no_header(endpoint: Endpoint) -> None:
    await OpenAiEmbedder(OpenAiOptions(endpoint.url, "m", text_chars=10)).embed(["y" * 100])
    assert endpoint.requests[0]["input"] == ["y" * 10]
    assert endpoint.requests[0]["authorization"] is None


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(endpoint: Endpoint, status: int) -> None:
    endpoint.failures = [(status, {}), (status, {"Retry-After": "0"})]
    assert await embedder(endpoint).embed_question("a") == [1.0, 97.0]
    assert len(endpoint.requests) == 3


async def test_tries_have_a_bound_and_so_has_the_wait_that_is_asked_for(endpoint: Endpoint) -> None:
    endpoint.failures = [(503, {})] * 9
    with pytest.raises(Unavailable, match="503"):
        await embedder(endpoint, tries_max=3).embed_question("a")
    assert len(endpoint.requests) == 3
    for asked in ("3600", "1e400", "inf"):
        endpoint.failures = [(429, {"Retry-After": asked})]
        with pytest.raises(Unavailable) as caught:
            await embedder(endpoint).embed_question("a")
        assert caught.value.retry_after_seconds == 3600


@pytest.mark.parametrize("status", [400, 401, 404, 307])
async def test_a_refusal_is_not_tried_again_and_names_the_settings(endpoint: Endpoint, status: int) -> None:
    endpoint.failures = [(status, {"Location": endpoint.url + "/embeddings"})]
    with pytest.raises(Unavailable, match="ZERO_OPENAI_KEY") as caught:
        await embedder(endpoint).embed_question("a")
    assert len(endpoint.requests) == 1
    assert KEY not in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize("shown", ["sk-proj-0123456789wxyz", "sk-proj-********wxyz", "...456789wxyz", "sk-****wxyz"])
async def test_no_part_of_the_key_is_in_what_is_said_about_a_refusal(endpoint: Endpoint, status: int, shown: str) -> None:
    endpoint.refusal = json.dumps({"error": {"message": f"Incorrect API key: {shown}. No such model: m"}}).encode()
    endpoint.failures = [(status, {})]
    options = OpenAiOptions(endpoint.url, "m", "sk-proj-0123456789wxyz", tries_max=1)
    with pytest.raises(Unavailable, match=f"status {status}") as caught:
        await OpenAiEmbedder(options).embed_question("a")
    assert not any(part in caught.value.message for part in ("sk-p", "wxyz", "456"))
    assert ("No such model: m" in caught.value.message) == (status in (400, 500))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"data":[]}',
        b'{"data":[{"index":1,"embedding":[1]}]}',
        b'{"data":[{"index":0,"embedding":"AAAA"}]}',
        b'{"data":[{"index":0}]}',
        b'{"data":[{"index":0,"embedding":[]}]}',
        b'{"data":[{"index":0,"embedding":[NaN,1]}]}',
        b'{"data":[{"index":0,"embedding":[1' + b"0" * 400 + b"]}]}",
        b'{"data":' + b"[" * 100_000,
    ],
)
async def test_an_answer_that_is_none_is_an_outage(endpoint: Endpoint, answer: bytes) -> None:
    endpoint.answer = answer
    with pytest.raises(Unavailable, match="something else than vectors"):
        await embedder(endpoint, tries_max=1).embed_question("a")


async def test_nobody_there_is_an_outage() -> None:
    server = Endpoint()
    server.server_close()
    with pytest.raises(Unavailable, match="does not answer"):
        await embedder(server, tries_max=2).embed_question("a")


async def test_cost_is_bounded_by_texts_an_hour(endpoint: Endpoint) -> None:
    bounded = embedder(endpoint, texts_per_hour_max=100)
    await bounded.embed(["a"] * 64)
    with pytest.raises(Overloaded, match="ZERO_OPENAI_TEXTS_PER_HOUR_MAX") as caught:
        await bounded.embed(["a"] * 64)
    assert 3500 < caught.value.retry_after_seconds <= 3600
    assert len(await bounded.embed(["a"] * 36)) == 36
    assert sum(len(request["input"]) for request in endpoint.requests) == 100


async def test_vectors_that_were_paid_for_are_stored_up_to_the_bound_and_the_rest_when_it_allows(endpoint: Endpoint) -> None:
    shelf = Shelf(*(pattern(number) for number in range(118)))
    bounded, clock = embedder(endpoint, texts_per_hour_max=100), ManualClock()
    shelves = Embedders(bounded.name, {bounded.name: lambda: bounded})
    upkeep = MeaningUpkeep(shelf, shelves, clock, MemoryTelemetry())
    for _ in range(5):
        await upkeep.step()
    assert [len(request["input"]) for request in endpoint.requests] == [64, 36]
    assert (len(shelf.vectors), len(shelf.words)) == (100, 118)
    bounded._spent.clear()  # an hour later
    clock.advance(3601)
    await upkeep.step()
    assert (len(shelf.vectors), sum(len(request["input"]) for request in endpoint.requests)) == (118, 118)


@pytest.mark.parametrize(
    "options",
    [{"url": "ftp://host"}, {"url": "http://"}, {"url": "nothing"}, {"model": ""}, {"key": "a\nb"}, {"key": "schlüssel"}],
)
def test_options_that_cannot_work_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="ZERO_OPENAI_"):
        OpenAiOptions(**{"url": "http://127.0.0.1/v1", "model": "m", **options})


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(OpenAiOptions("http://127.0.0.1", "m", KEY))
