"""The reader without a socket: cuts between reads and known heads change nothing."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from zero.application.key_ring import KeyRing
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head
from zero.interfaces.ingest_http.heads import Heads, KnownHead
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reader import BodyBudget, MessageReader
from zero.interfaces.ingest_http.reply import HttpRefusal
from zero.interfaces.ingest_http.routes import Route, Routes


class Harness:
    """Collects (path, body) of each request, through a door that remembers the head it was prepared for."""

    def __init__(self, known_heads_max: int = 1024) -> None:
        self.options = IngestHttpOptions(known_heads_max=known_heads_max)
        self.prepared = 0
        route = Route({"POST": self._prepare, "GET": self._prepare}, scopes=())
        keys = KeyRing(MemoryKeyStore(), ManualClock(), MemoryTelemetry())
        self.heads = Heads(Routes({"/a": route, "/b": route}, keys), self.options)
        self.budget = BodyBudget(self.options.bodies_bytes_max)
        self.now = 0.0
        self.requests: list[tuple[str, bytes]] = []
        self.reader = MessageReader(self, self)
        self._path = ""

    def _prepare(self, head: Head) -> Handle:
        self.prepared += 1

        def handle(body: bytes, exchange: Exchange) -> None:
            self._path = f"{head.method} {head.path} {head.get('x')}"

        return handle

    def head_arrived(self, head: KnownHead) -> None:
        pass

    def request_arrived(self, head: KnownHead, body: bytes) -> None:
        self._path = str(head.refusal.status) if head.refusal else ""
        if head.handle:
            head.handle(body, None)
        self.requests.append((self._path, body))

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            at = self.reader.feed(data, at)


def request(path: str, body: bytes, form: str) -> bytes:
    head = f"{'GET' if form == 'bare' else 'POST'} {path} HTTP/1.1\r\nHost: h\r\nX: {len(body) % 2}\r\n".encode()
    if form == "bare":
        return head + b"\r\n"
    if form == "chunked":
        chunks = b"".join(b"1;e\r\n%b\r\n" % body[at : at + 1] for at in range(len(body)))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nT: 1\r\n\r\n"
    if form == "upgrade":
        head += b"Connection: upgrade\r\nUpgrade: h2c\r\n"
    lead = b"\r\n" if form == "led" else b""
    return lead + head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


BODIES = st.sampled_from(
    [b"", b"x", b"\r\n\r\n", b"POST /a HTTP/1.1\r\n\r\n", b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n", b"y" * 50]
)
FORMS = st.sampled_from(["length", "length", "length", "chunked", "bare", "led", "upgrade"])
REQUESTS = st.lists(st.tuples(st.sampled_from(["/a", "/b", "/c"]), BODIES, FORMS), min_size=1, max_size=8)


def expected(path: str, body: bytes, form: str) -> tuple[str, bytes]:
    if path == "/c":
        return "404", b""
    return f"{'GET' if form == 'bare' else 'POST'} {path} {len(body) % 2}", b"" if form == "bare" else body


@settings(max_examples=400)
@given(sent=REQUESTS, cuts=st.lists(st.integers(1, 400), max_size=12), heads=st.sampled_from([1, 2, 1024]))
def test_cuts_and_known_heads_change_nothing(sent, cuts, heads):
    harness = Harness(heads)
    stream = b"".join(request(*each) for each in sent)
    places = sorted({min(sum(cuts[: at + 1]), len(stream)) for at in range(len(cuts))} | {0, len(stream)})
    for start, end in itertools.pairwise(places):
        harness.feed(stream[start:end])
    found = [(path, b"" if path == "404" else body) for path, body in harness.requests]
    assert found == [expected(*each) for each in sent]
    assert harness.budget.used == 0


@given(data=st.binary(max_size=200), known=st.booleans())
def test_garbage_is_refused_and_never_crashes(data, known):
    harness = Harness()
    if known:
        harness.feed(request("/a", b"x", "length"))
    try:
        harness.feed(data)
    except HttpRefusal as refusal:
        assert refusal.reply.status in (400, 413, 417, 431)


def test_a_head_seen_before_is_not_routed_again():
    harness = Harness()
    for body in (b"one", b"two", b"six"):
        harness.feed(request("/a", body, "length"))
    assert harness.requests == [("POST /a 1", b"one"), ("POST /a 1", b"two"), ("POST /a 1", b"six")]
    assert harness.prepared == 1


def test_known_heads_are_bounded_and_heads_with_a_key_are_not_kept():
    harness = Harness(known_heads_max=3)
    for number in range(10):
        harness.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nX: %d\r\nContent-Length: 0\r\n\r\n" % number)
        assert len(harness.heads._known) <= 3
    harness.heads._known.clear()
    harness.feed(b"POST /a HTTP/1.1\r\nHost: h\r\nIdempotency-Key: k\r\nContent-Length: 0\r\n\r\n")
    assert not harness.heads._known
