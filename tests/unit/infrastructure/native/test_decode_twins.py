"""The native decoders, the plain one and their twins give the same bytes and the same errors, whatever comes in."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.infrastructure.native.twins import NATIVE, NOW_NS, SOURCE, outcome, thorough
from zero.domain.errors import InvalidInput
from zero.domain.varint import varint
from zero.infrastructure.codec import decode_json_twin, decode_log_batch_twin, plain_json
from zero.infrastructure.codec.protobuf_wire import bytes_field, double_field, fixed64_field, varint_field


def assert_json_twins(body: bytes) -> None:
    expected = outcome(decode_json_twin.decode_json, body)
    assert outcome(NATIVE.decode_json, body) == expected
    assert outcome(plain_json.decode_json, body) == expected


def assert_log_batch_twins(body: bytes) -> None:
    assert outcome(NATIVE.decode_log_batch, body) == outcome(decode_log_batch_twin.decode_log_batch, body)


blank = st.text(" \t\r", max_size=2)
hostile_text = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "\0", "a\0b", "\u2028", "\u202e", "\ufeff", "\U0001f600", "x" * 129, "k" * 16385, "é" * 100]),
)


def choices(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


times = st.one_of(
    choices("2026-11-22T10:00:00Z 2026-11-22t10:00:00.123456789123z 2026-11-22T10:00:00+02:00 2026-11-22T10:00:00-0130"),
    choices("2026-11-22T10:00:00+01 2026-11-22T10:00:00 2026-11-22T10:00:60Z 2026-02-30T10:00:00Z 2026-11-22T10:00:00+01:"),
    choices("2026-11-22T10:00:00. 2026-11-22T24:00:00Z 0000-01-01T00:00:00Z 2024-02-29T00:00:00Z 1795341600 1795341600.5"),
    choices("1795341600123 1795341600123456 1795341600123456789 1.7953416e9 17953416000e-1 1e400 1e99999999999999 0 00 -1"),
    choices("1e-99999999999 179534160012.3 99999999999 100000000000 NaN"),
    st.just("2026-11-22 10:00:00,5"),
    st.integers(0, 2**64).map(str),
    st.datetimes().map(lambda time: time.isoformat()),
)
levels = choices("INFO warn Warning ERR e 3 7 8 9 10 35 60 70 07 LOUD verbose \N{KELVIN SIGN}elvin critical 30.0") | st.just(
    " warn "
)
numbers = st.one_of(
    choices("0 -0 -0.0 0e9 0.0e99999 1e400 -1e400 1e-400 5e-324 4e-324 1.7976931348623157e308 1.7976931348623159e308"),
    choices("18446744073709551615 18446744073709551616 -9223372036854775808 -9223372036854775809 9223372036854775807"),
    choices("9223372036854775808 0.1 0.10 1.0 100e-2 0.30000000000000004 0.3000000000000000444 123456789012345.6 1E+2"),
    choices("9007199254740993.0 1e22 1e23 100000000000000000000000 2.2250738585072011e-308 0.000001e6 12e0005"),
    st.integers(-(2**66), 2**66).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=18).map(str),
)


@st.composite
def json_string(draw: st.DrawFn, text: st.SearchStrategy[str] = hostile_text) -> str:
    value = draw(text)
    plain = draw(st.booleans())
    inner = json.dumps(value, ensure_ascii=not plain)[1:-1]
    tail = draw(st.sampled_from(["", "", "", "", r"\ud800", r"\udc00\ud83d", r"\ud83d\ude00", r"\/\b", "\\u0000"]))
    return f'"{inner}{tail}"'


scalars = st.one_of(json_string(), numbers, st.sampled_from(["true", "false", "null"]), json_string(times), json_string(levels))
other_keys = st.one_of(st.sampled_from(["a", "b", "a.b", "", "k" * 127, "original_timestamp"]), hostile_text)


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arrays = st.tuples(blank, st.lists(inner, max_size=3)).map(lambda part: "[" + part[0] + ",".join(part[1]) + "]")
    pairs = st.tuples(json_string(other_keys), blank, inner, blank).map(lambda part: f"{part[0]}{part[1]}:{part[2]}{part[3]}")
    return st.one_of(arrays, st.lists(pairs, max_size=3).map(lambda found: "{" + ",".join(found) + "}"))


values = st.recursive(scalars, containers, max_leaves=6)
NAMES = sorted(decode_json_twin.KNOWN) + list(decode_json_twin.METADATA_NAMES)


@st.composite
def json_entry(draw: st.DrawFn) -> str:
    members = draw(st.lists(st.tuples(json_string(st.sampled_from(NAMES) | other_keys), values), max_size=6))
    if draw(st.integers(0, 4)):
        members.insert(draw(st.integers(0, len(members))), ('"message"', '"hello"'))
    if draw(st.booleans()):
        members.append(('"ts"', draw(json_string(times) | numbers)))
    gap = draw(blank)
    return "{" + gap + f",{gap}".join(f"{key}:{gap}{value}" for key, value in members) + "}" + gap


entries = st.lists(st.one_of(json_entry(), json_entry(), json_entry(), scalars, st.just("[]")), max_size=4)
bodies = st.one_of(
    json_entry(),
    entries.map(lambda found: "[" + ", ".join(found) + "]"),
    entries.map(lambda found: '{"logs" :[' + ",\n".join(found) + "]}"),
    entries.map(lambda found: '{"logs":[' + ",".join(found) + '],"message":"x"}'),
    entries.map("\n".join),
    entries.map("\r\n\n".join),
    values,
).map(lambda text: text.encode("utf-8", "surrogatepass"))
damage = st.sampled_from(
    [
        b"",
        b"\n",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xef\xbb\xbf",
        b'"',
        b"{",
        b"}",
        b"]",
        b"\\",
        b",",
        b"\0",
        b" ",
    ]
)


@thorough
@given(bodies)
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b'\xef\xbb\xbf{"message":"x",}')
@example(b'{"message":"x"}\n{"message":"y"')
@example(b'{"message":"x"\n{"message":"y"}')
@example(b'{"message":\n{"a":1}}')
def test_json_bodies_decode_alike(body: bytes) -> None:
    assert_json_twins(body)


@thorough
@given(bodies, damage, st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_json_bodies_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_json_twins(body[:at] + piece + body[at + cut :])


@thorough
@given(bodies, st.integers(0, 10_000))
def test_json_bodies_cut_off_decode_alike(body: bytes, place: int) -> None:
    assert_json_twins(body[: place % (len(body) + 1)])


@thorough
@given(
    st.lists(
        st.sampled_from(
            ['{"message":', '"', "{", "}", "[", "]", ",", ":", "\\", "1", "-", ".", "e", "t", "true", "\n", "é", "\x01"]
        )
    )
)
def test_tokens_in_any_order_decode_alike(tokens: list[str]) -> None:
    assert_json_twins("".join(tokens).encode())


@settings(thorough, max_examples=100)
@given(st.integers(60, 68), st.sampled_from(["{}", "[]"]), st.booleans(), st.booleans())
def test_depth_is_counted_alike(depth: int, inner: str, known: bool, array: bool) -> None:
    opener, closer = ("[", "]") if array else ('{"a":', "}")
    value = opener * depth + inner + closer * depth
    key = "log" if known else "x"
    assert_json_twins(f'[{{"message":"m","{key}":{value}}},{{"message":"next"}}]'.encode())


texts = st.one_of(st.text(max_size=8).map(str.encode), st.binary(max_size=6), st.sampled_from([b"", b"x" * 130, b"y" * 16385]))
tag_varints = st.sampled_from([0, 1, 2, 9, 2**31, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1)
floats = st.floats().map(lambda number: double_field(4, number))
value_members = st.one_of(
    texts.map(lambda text: bytes_field(1, text)),
    tag_varints.map(lambda number: varint_field(2, number)),
    tag_varints.map(lambda number: varint_field(3, number)),
    floats,
    st.integers(0, 3).map(lambda number: varint_field(5, number)),
    st.just(varint(6 << 3 | 5) + b"1234"),
)
value_messages = st.one_of(value_members, value_members, st.lists(value_members, max_size=2).map(b"".join))
attribute_members = st.one_of(
    (st.sampled_from([b"a", b"b", b"original_timestamp"]) | texts).map(lambda key: bytes_field(1, key)),
    value_messages.map(lambda value: bytes_field(2, value)),
)
attributes = st.one_of(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), value_messages).map(
        lambda it: bytes_field(1, it[0]) + bytes_field(2, it[1])
    ),
    st.lists(attribute_members, max_size=3).map(b"".join),
)
entry_members = st.one_of(
    st.tuples(st.sampled_from([1, 4, 5, 6, 7, 8, 9]), texts).map(lambda it: bytes_field(*it)),
    st.sampled_from([0, 1, NOW_NS, NOW_NS - 31 * 86_400 * 10**9, 2**64 - 1]).map(lambda time: fixed64_field(2, time)),
    st.integers(0, 8).map(lambda level: varint_field(3, level)),
    tag_varints.map(lambda level: varint_field(3, level)),
    attributes.map(lambda attribute: bytes_field(10, attribute)),
    attributes.map(lambda attribute: bytes_field(10, attribute)),
    st.sampled_from([varint_field(4, 1), varint_field(99, 7), b"\x88\x80\x80\x80\x00\x01", fixed64_field(1, 2)]),
)
present = st.tuples(*[st.integers(0, 3).map(bool)] * 8)  # most entries have most fields


@st.composite
def ordered_entry(draw: st.DrawFn) -> bytes:
    """Fields in order, as we write them ourselves, without some of those that are stamped."""
    fields = [
        bytes_field(1, b"app"),
        fixed64_field(2, NOW_NS - draw(st.integers(0, 2**40))),
        varint_field(3, draw(st.integers(1, 6))),
        bytes_field(4, b"m" + draw(texts)),
        bytes_field(5, b"s" * draw(st.sampled_from([1, 127, 128, 255]))),
        bytes_field(6, b"prod"),
        bytes_field(7, draw(texts)),
        bytes_field(9, b"u"),
    ]
    kept = draw(present)
    found = draw(st.lists(attributes, max_size=3))
    return b"".join(field for field, keep in zip(fields, kept, strict=True) if keep) + b"".join(
        bytes_field(10, attribute) for attribute in found
    )


log_entries = st.one_of(
    ordered_entry(),
    ordered_entry(),
    st.lists(entry_members, max_size=6).map(lambda found: bytes_field(4, b"hello") + b"".join(found)),
    st.lists(entry_members, max_size=6).map(b"".join),
)
log_batches = st.lists(log_entries.map(lambda entry: bytes_field(1, entry)) | st.just(varint_field(2, 1)), max_size=4).map(
    b"".join
)


@thorough
@given(log_batches)
def test_log_batches_decode_alike(body: bytes) -> None:
    assert_log_batch_twins(body)


@thorough
@given(log_batches, st.binary(max_size=3), st.integers(0, 10_000), st.integers(0, 3))
def test_damaged_log_batches_decode_alike(body: bytes, piece: bytes, place: int, cut: int) -> None:
    at = place % (len(body) + 1)
    assert_log_batch_twins(body[:at] + piece + body[at + cut :])


@thorough
@given(bodies)
def test_what_the_json_door_accepts_passes_the_log_batch_door_unchanged(body: bytes) -> None:
    try:
        decoded = NATIVE.decode_json(body, NOW_NS, SOURCE)
    except InvalidInput:
        return
    if decoded.accepted:
        again = NATIVE.decode_log_batch(decoded.payload, NOW_NS, "elsewhere")
        assert (again.payload, again.accepted, again.repaired) == (decoded.payload, decoded.accepted, 0)
