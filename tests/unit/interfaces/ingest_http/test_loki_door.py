"""``POST /loki/api/v1/push``: what is taken in, and how Loki's clients are told."""

import gzip
import json

import cramjam
import pytest

from zero.infrastructure.codec.protobuf_wire import bytes_field
from zero.infrastructure.native.codec import NativeCodec

PATH = "/loki/api/v1/push"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def push(*lines: str) -> bytes:
    entries = b"".join(bytes_field(2, bytes_field(2, line.encode())) for line in lines)
    return bytes_field(1, bytes_field(1, b'{app="shop"}') + entries)


def in_json(*lines: str) -> bytes:
    return json.dumps({"streams": [{"stream": {"app": "shop"}, "values": [["0", line] for line in lines]}]}).encode()


@pytest.fixture
async def server(serving):
    return await serving(codec=NativeCodec())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (snappy(push("a", "b")), PROTOBUF),
        (snappy(push("a", "b")), PROTOBUF | {"Content-Encoding": "snappy"}),
        (gzip.compress(push("a", "b")), PROTOBUF | {"Content-Encoding": "gzip"}),
        (in_json("a", "b"), JSON),
        (in_json("a", "b"), JSON | {"Content-Type": "application/json; charset=utf-8"}),
        (gzip.compress(in_json("a", "b")), JSON | {"Content-Encoding": "gzip"}),
    ],
)
async def test_a_push_is_answered_with_204_and_nothing(server, body, headers):
    answer = await server.post(body, headers, PATH)
    assert (answer.status, answer.body) == (204, b"")
    assert await server.accepted() == 2


async def test_rejected_entries_are_told_as_text_and_do_not_cost_their_neighbours(server):
    answer = await server.post(in_json("a", "", "b"), JSON, PATH)
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    first, second = answer.body.decode().splitlines()
    assert first == "1 of 3 entries rejected, 2 accepted"
    assert second.startswith("entry 1: message: missing or empty")
    assert await server.accepted() == 2


async def test_labels_that_are_none_reject_the_entries_of_their_stream_alone(server):
    wrong = bytes_field(1, bytes_field(1, b"{app=shop}") + bytes_field(2, bytes_field(2, b"a")))
    answer = await server.post(snappy(wrong + push("b")), PROTOBUF, PATH)
    assert answer.body.decode().splitlines()[1] == "entry 0: labels: not a label set at byte 5"
    assert await server.accepted() == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (b"\xff\xff\xff\xff\x7fxx", PROTOBUF, 413, "larger than 16777216 bytes"),
        (b"\x05a", PROTOBUF, 400, "snappy body is broken"),
        (b"", PROTOBUF, 400, "snappy body is broken"),
        (snappy(b"\x0a\x05ab"), PROTOBUF, 400, "body is not a valid PushRequest at byte 0"),
        (snappy(b"\x0b\x0c"), PROTOBUF, 400, "body is not a valid PushRequest at byte 0"),
        (b'{"streams":[{"values":[["1"]]}]}', JSON, 400, "body is not a Loki push at byte 23"),
        (b'{"streams":', JSON, 400, "body is not valid JSON at byte 11"),
        (b"x", {"Content-Type": "text/plain"}, 415, "content type 'text/plain' is not one we read"),
        (b"x", JSON | {"Content-Encoding": "br"}, 415, "content encoding 'br' is not one we read"),
    ],
)
async def test_what_cannot_be_read_is_refused_as_text(server, body, headers, status, text):
    answer = await server.post(body, headers, PATH)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert text in answer.body.decode()
    assert await server.accepted() == 0


async def test_an_organisation_that_the_client_names_is_not_its_tenant(server):
    assert (await server.post(in_json("a"), JSON | {"X-Scope-OrgID": "other"}, PATH)).status == 204
    assert set(await server.buffer.ledger()) == {"default"}
