"""The native Loki decoders and their plain twins give the same bytes and the same errors, whatever comes in."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.infrastructure.native.twins import NATIVE, NOW_NS, SOURCE, outcome, thorough
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec import decode_loki_twin
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.codec.protobuf_wire import bytes_field, varint_field


def assert_twins(body: bytes) -> None:
    assert outcome(NATIVE.decode_loki, body) == outcome(decode_loki_twin.decode_loki, body)


def assert_json_twins(body: bytes) -> None:
    assert outcome(NATIVE.decode_loki_json, body) == outcome(decode_loki_twin.decode_loki_json, body)


def push(labels: bytes, *entries: bytes) -> bytes:
    return bytes_field(1, bytes_field(1, labels) + b"".join(bytes_field(2, entry) for entry in entries))


names = st.sampled_from(sorted(decode_loki_twin.KNOWN)) | st.sampled_from(["a", "b", "k8s.pod", "x:y", "original_timestamp"])
values = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["", "info", "ERROR", "unknown", "shop", "x" * 130, "y" * 16385, 'quote " and \\', "\U0001f600"]),
)
GO_ESCAPES = [
    r"\n",
    r"\"",
    r"\'",
    r"\\",
    r"\xff",
    r"\xe9",
    r"\u00e9",
    r"\U0001F600",
    r"\101",
    r"\777",
    r"\ud800",
    r"\q",
    r"\x1",
]


@st.composite
def label_value(draw: st.DrawFn) -> bytes:
    plain = draw(values).replace("\\", "\\\\").replace('"', '\\"')
    escape = draw(st.sampled_from(["", "", "", *GO_ESCAPES, "\\"]))
    quote = draw(st.sampled_from(['"', '"', '"', "'", "`"]))
    return f"{quote}{plain}{escape}{quote}".encode()


@st.composite
def label_set(draw: st.DrawFn) -> bytes:
    blank = draw(st.sampled_from([b"", b" ", b"\t\n"]))
    pairs = [draw(names).encode() + blank + b"=" + blank + draw(label_value()) for _ in range(draw(st.integers(0, 4)))]
    tail = draw(st.sampled_from([b"", b"", b"", b",", b",,", b"x", b'"']))
    return blank + b"{" + blank + (blank + b"," + blank).join(pairs) + tail + b"}" + blank + draw(st.sampled_from([b"", b"x"]))


texts = values.map(str.encode) | st.binary(max_size=5)
seconds = st.sampled_from([0, NOW_NS // 10**9, 10**10, 2**63, 2**64 - 1, 5])
nanoseconds = st.sampled_from([0, 1, 999_999_999, 10**9, 2**64 - 1])
timestamps = st.tuples(seconds, nanoseconds).map(lambda it: varint_field(1, it[0]) + varint_field(2, it[1]))
pairs = st.tuples(names.map(str.encode) | texts, texts).map(lambda it: bytes_field(1, it[0]) + bytes_field(2, it[1]))
entry_members = st.one_of(
    timestamps.map(lambda time: bytes_field(1, time)),
    texts.map(lambda line: bytes_field(2, line)),
    pairs.map(lambda pair: bytes_field(3, pair)),
    pairs.map(lambda pair: bytes_field(3, pair)),
    st.sampled_from([bytes_field(4, b"x"), varint_field(2, 1), varint_field(9, 1)]),
)
entries = st.lists(entry_members, max_size=5).map(lambda found: bytes_field(2, b"line") + b"".join(found))
stream_members = st.one_of(
    label_set().map(lambda labels: bytes_field(1, labels)),
    entries.map(lambda entry: bytes_field(2, entry)),
    entries.map(lambda entry: bytes_field(2, entry)),
    st.just(varint_field(3, 7)),
)
streams = st.lists(stream_members, max_size=4).map(lambda found: bytes_field(1, b"{}") + b"".join(found))
bodies = st.lists(streams.map(lambda stream: bytes_field(1, stream)), max_size=3).map(b"".join)


@thorough
@given(bodies)
@example(b"")
def test_pushes_decode_alike(body: bytes) -> None:
    assert_twins(body)


@thorough
@given(label_set(), st.binary(max_size=2), st.integers(0, 1_000), st.integers(0, 2))
def test_label_sets_are_read_alike(labels: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(labels) + 1)
    line = bytes_field(2, b"line")
    assert_twins(push(labels, line))
    assert_twins(push(labels[:at] + piece + labels[at + cut :], line))


@thorough
@given(bodies, st.binary(max_size=3), st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_pushes_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_twins(body[:at] + piece + body[at + cut :])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\nb"', "a\nb"),
        (r'"\"quoted\" \\ \'"', '"quoted" \\ \''),
        (r'"\xc3\xa9\u00e9\U0001F600\101"', "éé\U0001f600A"),
        (r"'single'", "single"),
        (r"`raw\n`", r"raw\n"),
        (r'"\xff"', "\ufffd"),
    ],
)
def test_values_of_labels_may_be_quoted_as_in_go(text, value):
    decoded = NATIVE.decode_loki(push(f"{{k={text},}}".encode(), bytes_field(2, b"line")), NOW_NS, SOURCE)
    assert read_log_batch(decoded.payload)[0].metadata == {"k": value}


scalars = values | st.sampled_from([None, True, 5, 1.5, 2**70])
odd = st.sampled_from([None, 5, "x", [], {}, [1], {"a": [1]}, True])
times = st.sampled_from([str(NOW_NS), NOW_NS, "0", "", "soon", -5, "5", str(NOW_NS // 10**6), "2026-11-22T10:00:00Z"])
objects = st.dictionaries(names | values, scalars, max_size=4)
good_entries = st.one_of(st.tuples(times, values), st.tuples(times, values, objects)).map(list)
json_entries = good_entries | good_entries | st.lists(times | values | odd, max_size=4)
json_streams = st.fixed_dictionaries(
    {}, optional={"stream": objects, "values": st.lists(json_entries, max_size=3), "other": odd}
)
json_bodies: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"streams": st.lists(json_streams | json_streams | odd, max_size=3)}, optional={"x": odd}
)
json_texts = st.tuples(json_bodies | odd, st.booleans()).map(
    lambda it: json.dumps(it[0], ensure_ascii=it[1], indent=None if it[1] else 1).encode("utf-8", "surrogatepass")
)


@thorough
@given(json_texts)
@example(b"")
@example(b'{"streams":[{"values":[["1","a"]],"stream":{"app":"x"}}]}')
def test_json_pushes_decode_alike(body: bytes) -> None:
    assert_json_twins(body)


damage = st.sampled_from([b"", b"\xff", b"\xed\xa0\x80", b'"', b"{", b"}", b"]", b"\\", b",", b"\0", b"null", b"\\ud800"])


@thorough
@given(json_texts, damage, st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_json_pushes_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_json_twins(body[:at] + piece + body[at + cut :])


@thorough
@given(bodies)
def test_what_is_accepted_passes_the_log_batch_door_unchanged(body: bytes) -> None:
    try:
        decoded = NATIVE.decode_loki(body, NOW_NS, SOURCE)
    except InvalidInput:
        return
    if decoded.accepted:
        again = NATIVE.decode_log_batch(decoded.payload, NOW_NS, "elsewhere")
        assert (again.payload, again.accepted, again.repaired) == (decoded.payload, decoded.accepted, 0)
