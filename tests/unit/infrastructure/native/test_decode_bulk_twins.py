"""The native bulk decoder and its plain twin give the same bytes, the same errors and the same items, whatever comes in."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zero.application.ports import Decoded
from zero.domain.entry import LogEntry, entry_id
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_bulk_twin import decode_bulk, read_index
from zero.infrastructure.codec.decode_json_twin import ECS, KNOWN, METADATA_NAMES
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.native.codec import NativeCodec

NOW_NS = 1_795_341_600_123_456_789
SOURCE = "192.0.2.7"
NATIVE = NativeCodec()
BATCH, FIRST = 0x0123456789ABCDEF, 0xFFFF_FFF0

thorough = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def native(body: bytes, index: str) -> tuple[Decoded, list[Any]]:
    decoded, outcomes = NATIVE.decode_bulk(body, NOW_NS, SOURCE, index)
    return decoded, json.loads(NATIVE.bulk_items(outcomes, BATCH, FIRST))


def twin(body: bytes, index: str) -> tuple[Decoded, list[Any]]:
    decoded, items = decode_bulk(body, NOW_NS, SOURCE, index)
    accepted = 0
    for item in items:
        (answer,) = item.values()
        if answer["status"] == 201:
            answer.setdefault("_id", entry_id(BATCH, (FIRST + accepted) % 2**32))
            accepted += 1
    return decoded, items


def outcome(decode: Any, body: bytes, index: str) -> tuple[object, ...]:
    try:
        result, items = decode(body, index)
    except InvalidInput as error:
        return type(error), error.message, error.position
    return result.payload, result.accepted, result.rejected, list(result.errors), result.repaired, items


def assert_twins(body: bytes, index: str = "shop") -> None:
    assert outcome(native, body, index) == outcome(twin, body, index)


INDEXES = (
    "shop logs-shop-prod logs-shop-default logs-a-b-c logs--x logs-x- logs- shop-2026.11.22 shop-2026-11 shop.2026.11.22 "
    "2026.11.22 -2026.11 filebeat-8.15.0 é-2026.11.22 shop.2026-11 x-2026.1122 logs-a-2026.11.22"
)
indexes = st.sampled_from([*INDEXES.split(), "x" * 129, "y" * 255, "z" * 256, "", 'q"\\'])
texts = st.text(max_size=5) | st.sampled_from(
    ["info", "ERROR", "LOUD", "x" * 130, "2026-11-22T10:00:00Z", "\ud800", str(NOW_NS)]
)
scalars = texts | st.sampled_from([None, True, 5, -0.0, 1.5, 2**70])
keys = st.sampled_from(
    [
        *sorted(KNOWN | ECS),
        *METADATA_NAMES,
        "a",
        "name",
        "id",
        "level",
        "host",
        "log",
        "service",
        "trace",
        "span",
        "user",
        "event",
    ]
) | st.text(max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3), max_leaves=5
)
nested = st.sampled_from(["log", "host", "service", "trace", "span", "user", "event"])
ecs = st.dictionaries(
    nested, st.dictionaries(st.sampled_from(["level", "name", "id", "environment", "original"]), scalars, max_size=3)
)
documents = st.tuples(st.dictionaries(keys, values, max_size=4), ecs, st.booleans()).map(
    lambda it: it[0] | it[1] | ({"message": "m"} if it[2] else {})
)
ids = st.sampled_from(["", "1", "é", "i" * 512, "i" * 513, 'a"b'])
details = st.fixed_dictionaries({}, optional={"_index": indexes | st.none(), "_id": ids | st.none(), "routing": scalars})
kinds = st.sampled_from(["index", "create", "index", "create", "update", "delete"])
actions: st.SearchStrategy[Any] = st.tuples(kinds, details).map(lambda it: {it[0]: it[1]})
odd = st.sampled_from(
    [{}, [], 5, {"index": 5}, {"index": {}, "create": {}}, {"upsert": {}}, {"index": {"_id": 5}}, {"index": None}]
)


@st.composite
def body_of(draw: st.DrawFn) -> bytes:
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        action = draw(odd) if draw(st.integers(0, 19)) == 0 else draw(actions)
        lines.append(json.dumps(action, ensure_ascii=draw(st.booleans())))
        if not (isinstance(action, dict) and "delete" in action):
            plain = draw(st.sampled_from([True, True, True, False]))
            lines.append(json.dumps(draw(documents)) if plain else draw(st.sampled_from(["", " ", "[]", "5", '{"a":', "{}x"])))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n"]))
    return (end.join(lines) + draw(st.sampled_from(["\n", "\n", "", " "]))).encode("utf-8", "surrogatepass")


@thorough
@given(body_of(), indexes)
@example(b"", "shop")
@example(b'{"index":{}}', "shop")
@example(b'{"index":{}}\n', "shop")
@example(b'\n\n{"create":{}}\n{"message":"m"}', "shop")
def test_bulk_bodies_decode_alike(body: bytes, index: str) -> None:
    assert_twins(body, index)


damage = st.sampled_from([b"", b"\n", b"\xff", b"\xed\xa0\x80", b'"', b"{", b"}", b"]", b"\\", b",", b"\0", b"1", b"\\ud800"])


@thorough
@given(body_of(), damage, st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_bulk_bodies_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_twins(body[:at] + piece + body[at + cut :])


@thorough
@given(documents)
def test_single_documents_decode_alike(document: dict[str, Any]) -> None:
    assert_twins(b'{"create":{"_index":"logs-shop-prod"}}\n' + json.dumps(document).encode() + b"\n")


def one(document: dict[str, Any], index: str = "shop") -> LogEntry:
    body = b'{"create":{}}\n' + json.dumps(document).encode() + b"\n"
    decoded, _ = NATIVE.decode_bulk(body, NOW_NS, SOURCE, index)
    assert decoded.accepted == 1, decoded.errors
    return read_log_batch(decoded.payload)[0]


def test_names_of_the_common_schema_are_fields_nested_or_dotted():
    nested = {
        "message": "m",
        "log": {"level": "warn", "logger": "shop.cart"},
        "service": {"name": "cart", "environment": "staging", "version": "1.2"},
        "host": {"name": "node-7", "os": {"family": "debian"}},
        "trace": {"id": "5b8e"},
        "span": {"id": "eee1"},
        "user": {"id": "u7"},
    }
    dotted = {"message": "m", "log.level": "warn", "log.logger": "shop.cart", "service.name": "cart", "trace.id": "5b8e"}
    dotted |= {"service.environment": "staging", "service.version": "1.2", "host.name": "node-7", "host.os.family": "debian"}
    dotted |= {"span.id": "eee1", "user.id": "u7"}
    entry = one(nested)
    assert (entry.level.name, entry.app_id, entry.environment, entry.source) == ("WARN", "cart", "staging", "node-7")
    assert (entry.trace_id, entry.span_id, entry.user_id) == ("5b8e", "eee1", "u7")
    assert entry.metadata == {"log.logger": "shop.cart", "service.version": "1.2", "host.os.family": "debian"}
    assert one(dotted) == entry


def test_a_level_that_is_none_does_not_cost_the_document():
    assert one({"message": "m", "level": "very loud"}).metadata == {"original_level": "very loud"}


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("shop", ("shop", "")),
        ("logs-shop-staging", ("shop", "staging")),
        ("logs-shop-default", ("shop", "")),
        ("logs-generic.otel-prod", ("generic.otel", "prod")),
        ("logstash-2026.11.22", ("logstash", "")),
        ("shop-2026-11", ("shop", "")),
        ("filebeat-8.15.0", ("filebeat-8.15.0", "")),
        ("logs-a-b-c", ("logs-a-b-c", "")),
    ],
)
def test_the_name_of_an_index_says_the_application_and_perhaps_the_environment(index, expected):
    assert read_index(index) == expected
    entry = one({"message": "m"}, index)
    assert (entry.app_id, entry.environment) == (expected[0], expected[1] or "prod")
    assert one({"message": "m", "app": "own", "env": "dev"}, index).app_id == "own"


def test_outcomes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="no outcomes"):
        NATIVE.bulk_items(b"\x0a\x05ab", 1, 0)
    with pytest.raises(ValueError, match="no outcomes"):
        NATIVE.bulk_items(b"\x0a\x02\x08\x09", 1, 0)
