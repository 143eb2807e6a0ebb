"""The native OTLP decoders and their plain twin give the same bytes and the same errors, whatever comes in."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.infrastructure.native.twins import NATIVE, NOW_NS, SOURCE, outcome, thorough
from zero.domain.errors import InvalidInput
from zero.domain.varint import varint
from zero.infrastructure.codec import decode_otlp_twin
from zero.infrastructure.codec.protobuf_wire import (
    FIXED32,
    bytes_field,
    double_field,
    fixed64_field,
    varint_field,
)


def assert_twins(body: bytes) -> None:
    assert outcome(NATIVE.decode_otlp, body) == outcome(decode_otlp_twin.decode_otlp, body)


def fixed32_field(number: int, value: int) -> bytes:
    return varint(number << 3 | FIXED32) + value.to_bytes(4, "little")


texts = st.one_of(
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=6),
    st.sampled_from([b"", b"x" * 130, b"y" * 16385, b'\x00"\\\n\x1f/', "\u2028é\U0001f600".encode()]),
)
numbers = st.sampled_from([0, 1, 2, 2**31, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
doubles = st.floats() | st.sampled_from([0.0, -0.0, 1e16, 1e15, 123456.75, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308])
scalars = st.one_of(
    texts.map(lambda text: bytes_field(1, text)),
    st.integers(0, 2).map(lambda number: varint_field(2, number)),
    numbers.map(lambda number: varint_field(3, number)),
    doubles.map(lambda number: double_field(4, number)),
    texts.map(lambda raw: bytes_field(7, raw)),
    st.sampled_from([b"", varint_field(1, 1), bytes_field(9, b"new")]),
)
keys = st.sampled_from([b"a", b"b", b"", b"original_timestamp", b"severity_text"]) | texts


def pair(key: bytes, value: bytes) -> bytes:
    return bytes_field(1, key) + bytes_field(2, value)


def containers(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    arrays = st.lists(inner, max_size=3).map(lambda found: bytes_field(5, b"".join(bytes_field(1, each) for each in found)))
    pairs = st.lists(st.tuples(keys, inner), max_size=3)
    return arrays | pairs.map(lambda found: bytes_field(6, b"".join(bytes_field(1, pair(*each)) for each in found)))


values = st.recursive(scalars, containers, max_leaves=6)
names = st.sampled_from([name.encode() for name in decode_otlp_twin._NAMES])
pairs = st.one_of(
    st.tuples(keys, values).map(lambda it: pair(*it)),
    st.tuples(names, texts).map(lambda it: pair(it[0], bytes_field(1, it[1]))),
    st.lists(values.map(lambda value: bytes_field(2, value)) | keys.map(lambda key: bytes_field(1, key)), max_size=3).map(
        b"".join
    ),
)
ids = st.sampled_from([b"", b"\0" * 16, bytes(range(16)), bytes(range(8)), b"\xff" * 33, b"\0" * 99]) | st.binary(max_size=17)
times = st.sampled_from([0, 1, NOW_NS, NOW_NS - 5, NOW_NS - 31 * 86_400 * 10**9, 2**64 - 1])
severity_words = st.sampled_from([b"INFO", b"warn", b"Error", b"LOUD", b"", b"7", b"\xff", b"critical"])
record_members = st.one_of(
    times.map(lambda time: fixed64_field(1, time)),
    times.map(lambda time: fixed64_field(11, time)),
    (st.integers(0, 26) | numbers).map(lambda number: varint_field(2, number)),
    severity_words.map(lambda text: bytes_field(3, text)),
    values.map(lambda body: bytes_field(5, body)),
    pairs.map(lambda attribute: bytes_field(6, attribute)),
    pairs.map(lambda attribute: bytes_field(6, attribute)),
    numbers.map(lambda count: varint_field(7, count)),
    st.integers(0, 2**32 - 1).map(lambda flags: fixed32_field(8, flags)),
    ids.map(lambda raw: bytes_field(9, raw)),
    ids.map(lambda raw: bytes_field(10, raw)),
    texts.map(lambda name: bytes_field(12, name)),
    st.sampled_from([varint_field(5, 1), bytes_field(4, b"x"), varint_field(8, 1), bytes_field(1000, b"x")]),
)
records = st.one_of(
    st.lists(record_members, max_size=6).map(lambda found: bytes_field(5, bytes_field(1, b"hello")) + b"".join(found)),
    st.lists(record_members, max_size=6).map(b"".join),
)
resources = st.lists(
    pairs.map(lambda found: bytes_field(1, found)) | numbers.map(lambda count: varint_field(2, count)), max_size=4
).map(b"".join)
scopes = st.lists(
    st.one_of(
        texts.map(lambda name: bytes_field(1, name)),
        texts.map(lambda version: bytes_field(2, version)),
        pairs.map(lambda found: bytes_field(3, found)),
        numbers.map(lambda count: varint_field(4, count)),
    ),
    max_size=3,
).map(b"".join)
scope_logs = st.lists(
    scopes.map(lambda it: bytes_field(1, it))
    | records.map(lambda it: bytes_field(2, it))
    | texts.map(lambda it: bytes_field(3, it)),
    max_size=4,
).map(b"".join)
resource_logs = st.lists(
    resources.map(lambda it: bytes_field(1, it)) | scope_logs.map(lambda it: bytes_field(2, it)), max_size=4
).map(b"".join)
requests = st.lists(resource_logs.map(lambda it: bytes_field(1, it)) | st.just(varint_field(2, 1)), max_size=3).map(b"".join)
single_requests = records.map(lambda record: bytes_field(1, bytes_field(2, bytes_field(2, record))))


@thorough
@given(requests)
@example(b"")
def test_requests_decode_alike(body: bytes) -> None:
    assert_twins(body)


@thorough
@given(single_requests)
def test_single_records_decode_alike(body: bytes) -> None:
    assert_twins(body)


@thorough
@given(requests, st.binary(max_size=3), st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_requests_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_twins(body[:at] + piece + body[at + cut :])


@settings(thorough, max_examples=60)
@given(st.integers(60, 66), st.booleans(), st.booleans())
def test_depth_is_counted_alike(depth: int, array: bool, in_body: bool) -> None:
    value = bytes_field(1, b"x")
    for _ in range(depth):
        value = bytes_field(5, bytes_field(1, value)) if array else bytes_field(6, bytes_field(1, pair(b"k", value)))
    record = bytes_field(5, value) if in_body else bytes_field(5, bytes_field(1, b"m")) + bytes_field(6, pair(b"k", value))
    assert_twins(bytes_field(1, bytes_field(2, bytes_field(2, record) + bytes_field(2, b""))))


@thorough
@given(requests)
def test_what_is_accepted_passes_the_log_batch_door_unchanged(body: bytes) -> None:
    try:
        decoded = NATIVE.decode_otlp(body, NOW_NS, SOURCE)
    except InvalidInput:
        return
    if decoded.accepted:
        again = NATIVE.decode_log_batch(decoded.payload, NOW_NS, "elsewhere")
        assert (again.payload, again.accepted, again.repaired) == (decoded.payload, decoded.accepted, 0)
