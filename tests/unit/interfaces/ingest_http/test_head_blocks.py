"""Heads that are known by table and bytes mean what the decoder says, whatever came before, on this connection or another."""

import pytest
from hpack import Decoder, Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from zero.application.key_ring import KeyRing
from zero.infrastructure.memory import ManualClock, MemoryKeyStore, MemoryTelemetry
from zero.interfaces.ingest_http.heads import Heads
from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode
from zero.interfaces.ingest_http.http2.head_blocks import HeadBlocks, KnownBlocks, Malformed
from zero.interfaces.ingest_http.http2.reply_blocks import ReplyBlocks
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reply import Reply
from zero.interfaces.ingest_http.routes import Route, Routes

VALUES = st.sampled_from([(1, "1"), (1, "2"), (40, "a"), (300, "b"), (2000, "c"), (4090, "d")])
FIELD = st.tuples(st.sampled_from(["x-a", "x-b", "content-type", "user-agent", "x-long-name-of-a-header-field"]), VALUES)
STEP = st.one_of(
    st.tuples(st.just("head"), st.lists(FIELD, max_size=4), st.sampled_from(["/a", "/b", "/c"]), st.booleans()),
    st.tuples(st.just("table"), st.sampled_from([0, 32, 100, 2048, 4096])),
)


def known_blocks(**options):
    keys = KeyRing(MemoryKeyStore(), ManualClock(), MemoryTelemetry())

    def prepare(head):
        seen = (head.method, head.path, tuple(sorted(head.headers.items())))
        return lambda body, exchange: exchange.append(seen)

    chosen = IngestHttpOptions(**options)
    routes = Routes({path: Route({"POST": prepare}, scopes=()) for path in ("/a", "/b", "/c")}, keys)
    return KnownBlocks(Heads(routes, chosen), chosen)


def meaning(blocks, block):
    seen = []
    head = blocks.request(block)
    if head.known.handle is None:
        return head.known.refusal.status
    head.known.handle(b"", seen)
    return seen[0]


def expected(fields):
    pseudo = {name: value for name, value in fields if name.startswith(":")}
    plain = {}
    for name, value in fields:
        if not name.startswith(":"):
            plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return pseudo[":method"], pseudo[":path"], tuple(sorted([*plain.items(), ("host", "zero")]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), STEP), max_size=40))
def test_a_head_means_what_a_decoder_without_memory_says(steps):
    shared = known_blocks(known_heads_max=8)
    peers = [(HeadBlocks(shared), Encoder(), Decoder()) for _ in range(3)]
    for number, step in steps:
        blocks, encoder, reference = peers[number]
        if step[0] == "table":
            if step[1] != encoder.header_table_size:  # the same size once more, and this encoder forgets to announce it
                encoder.header_table_size = step[1]
            continue
        _, chosen, path, sensitive = step
        fields = [(name, letter * count) for name, (count, letter) in chosen]
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "zero"), (":path", path), *fields]
        block = encoder.encode([(*field, sensitive) for field in head], huffman=sensitive)
        assert meaning(blocks, block) == expected(reference.decode(block))
        if sensitive:  # leaves the table as it is: the same bytes again are the same head
            assert meaning(blocks, block) == expected(reference.decode(block))


def test_a_head_seen_before_is_not_decoded_again_on_any_connection(monkeypatch):
    shared = known_blocks()
    head = [(":method", "POST"), (":scheme", "http"), (":authority", "zero"), (":path", "/a"), ("content-type", "x")]
    encoder = Encoder()
    first, again = encoder.encode(head), encoder.encode(head)
    one, other = HeadBlocks(shared), HeadBlocks(shared)
    for blocks in (one, other):
        blocks.request(first)
    one.request(again)
    monkeypatch.setattr(Decoder, "decode", None)
    assert one.request(again) is other.request(again)


def test_bytes_known_under_one_table_are_decoded_under_another():
    shared = known_blocks()
    one, other = HeadBlocks(shared), HeadBlocks(shared)
    pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "zero")]
    blocks = []
    for connection, path in ((one, "/a"), (other, "/b")):
        encoder = Encoder()
        connection.request(encoder.encode([*pseudo, (":path", path)]))
        blocks.append(encoder.encode([*pseudo, (":path", path)]))
    assert blocks[0] == blocks[1]
    assert meaning(one, blocks[0])[1] == "/a"
    assert meaning(other, blocks[0])[1] == "/b"


def test_what_was_known_is_forgotten_when_the_keys_change():
    shared = known_blocks()
    head = Encoder().encode([(":method", "POST"), (":scheme", "http"), (":authority", "zero", True), (":path", "/a", True)])
    blocks = HeadBlocks(shared)
    known = blocks.request(head)
    assert blocks.request(head) is known
    shared.forget()
    assert blocks.request(head) is not known


def test_a_list_that_is_large_only_when_decoded_ends_the_connection():
    """A field of 4 KiB in the table, named a thousand times by one byte each."""
    blocks = HeadBlocks(known_blocks())
    blocks.fields(b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000)
    with pytest.raises(ConnectionFault) as refused:
        blocks.request(b"\xbe" * 16_000)
    assert (refused.value.code, refused.value.abuse) == (ErrorCode.ENHANCE_YOUR_CALM, "header_list")


def test_a_list_that_is_too_large_is_431_and_too_many_fields_as_well():
    blocks, encoder = HeadBlocks(known_blocks()), Encoder()
    pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "zero"), (":path", "/a")]
    assert meaning(blocks, encoder.encode([*pseudo, ("x", "y" * 40_000)])) == 431
    assert meaning(blocks, encoder.encode([*pseudo, *[("x", "y")] * 101])) == 431
    assert meaning(blocks, encoder.encode(pseudo))[1] == "/a"


def test_trailers_may_not_have_pseudo_header_fields():
    with pytest.raises(Malformed):
        HeadBlocks(known_blocks()).request(Encoder().encode([("x", "1"), (":path", "/a")]))


@settings(deadline=None)
@given(
    st.sampled_from([200, 202, 204, 400, 404, 429, 503]),
    st.binary(max_size=3000),
    st.dictionaries(st.sampled_from(["Retry-After", "Allow", "WWW-Authenticate"]), st.text("abc =,", max_size=300)),
)
def test_a_reply_head_is_read_by_any_decoder(status, body, headers):
    fields = tuple((name.encode(), value.encode()) for name, value in headers.items())
    block = ReplyBlocks().block(Reply(status, body, headers=fields), b"Sun, 22 Nov 2026 21:11:01 GMT")
    decoded = Decoder().decode(block)
    expected = {":status": str(status), "date": "Sun, 22 Nov 2026 21:11:01 GMT"}
    if status != 204:
        expected |= {"content-type": "application/json", "content-length": str(len(body))}
    assert dict(decoded) == expected | {name.lower(): value for name, value in headers.items()}
