"""What the JSON door accepts, repairs, keeps and rejects, and how it says so."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from zero.application.ports import Decoded
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import InvalidInput, TooLarge
from zero.infrastructure.codec import decode_json_twin
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.native.codec import NativeCodec

NOW_NS = 1_795_341_600_000_000_000  # 2026-11-22T10:00:00Z
SECOND_NS = 10**9
PEER = "192.0.2.7"


@pytest.fixture(params=["native", "twin"])
def decode(request: pytest.FixtureRequest) -> Callable[[bytes], Decoded]:
    decoder = NativeCodec().decode_json if request.param == "native" else decode_json_twin.decode_json
    return lambda body: decoder(body, NOW_NS, PEER)


def one(decode: Callable[[bytes], Decoded], body: bytes | str) -> LogEntry:
    decoded = decode(body.encode() if isinstance(body, str) else body)
    assert (decoded.accepted, decoded.rejected) == (1, 0), decoded.errors
    return read_log_batch(decoded.payload)[0]


def metadata(decode: Callable[[bytes], Decoded], members: str) -> dict[str, Any]:
    return one(decode, '{"message":"m",' + members + "}").metadata


def reasons(decode: Callable[[bytes], Decoded], body: bytes | str) -> list[tuple[int, str]]:
    return list(decode(body.encode() if isinstance(body, str) else body).errors)


def test_an_entry_with_a_message_alone_gets_every_default(decode) -> None:
    assert one(decode, '{"message":"hello"}') == LogEntry(
        message="hello", timestamp_ns=NOW_NS, level=Level.INFO, app_id="default", source=PEER, environment="prod"
    )


def test_every_field_is_taken_from_its_own_name(decode) -> None:
    body = """{"app_id":"a","timestamp":"2026-11-22T10:00:00.000000001Z","level":"error","message":"m","source":"s",
    "environment":"e","trace_id":"t","span_id":"p","user_id":"u","metadata":{"k":1}}"""
    assert one(decode, body) == LogEntry("m", NOW_NS + 1, Level.ERROR, "a", "s", "e", "t", "p", "u", {"k": 1})


@pytest.mark.parametrize("name", ["message", "msg", "body", "log", "text", "short_message"])
def test_the_message_has_many_names(decode, name: str) -> None:
    assert one(decode, f'{{"{name}":"hello"}}').message == "hello"


@pytest.mark.parametrize("name", ["app_id", "app", "service", "service.name"])
def test_the_application_has_many_names(decode, name: str) -> None:
    assert one(decode, f'{{"message":"m","{name}":"shop"}}').app_id == "shop"


@pytest.mark.parametrize("name", ["metadata", "attributes", "fields", "extra"])
def test_metadata_has_many_names(decode, name: str) -> None:
    assert metadata(decode, f'"{name}":{{"a":{{"b":1}}}}') == {"a.b": 1}


def test_a_displaced_alias_is_kept_as_metadata(decode) -> None:
    entry = one(decode, '{"logger":"app.db","message":"m","host":"h1","log":{"level":"x"}}')
    assert (entry.source, entry.metadata) == ("h1", {"log.level": "x", "logger": "app.db"})


def test_an_object_under_an_alias_is_metadata_and_under_the_own_name_an_error(decode) -> None:
    assert metadata(decode, '"host":{"name":"h"}') == {"host.name": "h"}
    assert reasons(decode, '{"message":"m","source":{"name":"h"}}') == [(0, "source: an object, not text")]
    assert reasons(decode, '{"message":"m","app_id":[1]}') == [(0, "app_id: an array, not text")]


def test_numbers_and_booleans_become_text_in_text_fields(decode) -> None:
    entry = one(decode, '{"message":12.50,"app_id":7,"user_id":true}')
    assert (entry.message, entry.app_id, entry.user_id) == ("12.50", "7", "true")


def test_a_message_that_is_an_object_is_its_json_text(decode) -> None:
    assert one(decode, '{"message": {"a": [1, 2]} }').message == '{"a": [1, 2]}'


@pytest.mark.parametrize("message", ['""', "null"])
def test_an_empty_message_is_rejected_by_name_and_limit(decode, message: str) -> None:
    assert reasons(decode, f'{{"message":{message}}}') == [(0, "message: missing or empty, limit 1 to 262144 bytes")]


@pytest.mark.parametrize(
    ("name", "limit"),
    [("message", 262_144), ("app_id", 128), ("source", 255), ("environment", 64), ("trace_id", 64), ("span_id", 32)],
)
def test_a_field_at_its_limit_passes_and_one_byte_more_is_rejected(decode, name: str, limit: int) -> None:
    def body(size: int) -> str:
        return f'{{"message":"m","{name}":"{"x" * size}"}}'

    assert len(getattr(one(decode, body(limit)), name)) == limit
    assert reasons(decode, body(limit + 1)) == [(0, f"{name}: {limit + 1} bytes, limit {limit}")]


def test_metadata_limits_are_told(decode) -> None:
    many = ",".join(f'"k{number}":1' for number in range(129))
    assert reasons(decode, f'{{"message":"m",{many}}}') == [(0, "metadata: more than 128 keys")]
    assert reasons(decode, f'{{"message":"m","{"k" * 129}":1}}') == [(0, "metadata key: 129 bytes, limit 128")]
    assert reasons(decode, f'{{"message":"m","k":"{"v" * 16385}"}}') == [(0, "metadata.k: 16385 bytes, limit 16384")]
    assert reasons(decode, '{"message":"m","":1}') == [(0, "metadata key: empty")]


def test_metadata_keeps_types_flattens_objects_and_keeps_arrays_as_text(decode) -> None:
    members = '"s":"x","i":-3,"f":1.0,"t":true,"n":null,"o":{"a":{"b":false},"e":{}},"l":[1, {"x":"\\u00e9"}]'
    found = metadata(decode, members)
    assert found == {"s": "x", "i": -3, "f": 1.0, "t": True, "o.a.b": False, "l": '[1, {"x":"\\u00e9"}]'}
    assert [type(value) for value in found.values()] == [str, int, float, bool, bool, str]


def test_metadata_that_is_no_object_is_kept_under_its_name(decode) -> None:
    assert metadata(decode, '"metadata":5') == {"metadata": 5}


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("1e400", "1e400"),
        ("0.1", 0.1),
        ("0.10000000000000000001", "0.10000000000000000001"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("2.383548404950943e+16", 2.383548404950943e16),
    ],
)
def test_a_number_that_no_type_holds_exactly_is_kept_as_its_text(decode, number: str, value: object) -> None:
    assert metadata(decode, f'"n":{number}') == {"n": value}


def test_minus_zero_keeps_its_sign(decode) -> None:
    assert str(metadata(decode, '"n":-0')["n"]) == "-0.0"


def test_of_duplicate_keys_the_last_wins(decode) -> None:
    entry = one(decode, '{"message":"first","a":1,"b":2,"message":"last","a":3}')
    assert (entry.message, entry.metadata) == ("last", {"a": 3, "b": 2})


@pytest.mark.parametrize(
    ("text", "level"),
    [
        *[("warning", Level.WARN), ("Critical", Level.FATAL), ("notice", Level.INFO), ("verbose", Level.DEBUG)],
        *[("SEVERE", Level.ERROR), ("emerg", Level.FATAL), ("trace", Level.TRACE), ("3", Level.ERROR)],
        *[("7", Level.DEBUG), ("10", Level.TRACE), ("50", Level.ERROR), ("60", Level.FATAL)],
    ],
)
def test_levels_have_usual_aliases_and_numbers(decode, text: str, level: Level) -> None:
    assert one(decode, f'{{"message":"m","level":"{text}"}}').level == level
    if text.isdigit():
        assert one(decode, f'{{"message":"m","level":{text}}}').level == level


@pytest.mark.parametrize(("given", "kept"), [('"LOUD"', "LOUD"), ("9", 9), ("true", True), ('"%s"' % ("x" * 99), "x" * 99)])
def test_an_unknown_level_is_info_and_kept(decode, given: str, kept: object) -> None:
    entry = one(decode, f'{{"message":"m","severity":{given},"k":1}}')
    assert (entry.level, entry.metadata) == (Level.INFO, {"k": 1, "original_level": kept})
    assert type(entry.metadata["original_level"]) is type(kept)


def test_a_level_of_the_wrong_shape_is_rejected(decode) -> None:
    assert reasons(decode, '{"message":"m","level":{"a":1}}') == [(0, "level: an object, not text")]


@pytest.mark.parametrize(
    ("given", "offset_ns"),
    [
        ('"2026-11-22T11:30:00+01:30"', 0),
        ('"2026-11-22 10:00:00,5"', SECOND_NS // 2),
        ("1795341601", SECOND_NS),
        ("1795341600.000000001", 1),
        ("1795341601000", SECOND_NS),
        ("1795341600000.5", 500_000),
        ("1795341600000001", 1000),
        ("1795341600000000001", 1),
        ('"1795341601"', SECOND_NS),
        ("1.795341601e9", SECOND_NS),
    ],
)
def test_timestamps_are_read_by_form_and_size(decode, given: str, offset_ns: int) -> None:
    entry = one(decode, f'{{"message":"m","timestamp":{given}}}')
    assert (entry.timestamp_ns - NOW_NS, entry.metadata) == (offset_ns, {})


@pytest.mark.parametrize("given", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "-5", "NaN", "1e400"])
def test_a_wild_timestamp_is_kept_and_the_time_of_receipt_used(decode, given: str) -> None:
    entry = one(decode, f'{{"message":"m","ts":"{given}"}}')
    assert (entry.timestamp_ns, entry.metadata) == (NOW_NS, {"original_timestamp": given})


def test_the_window_is_thirty_days_back_and_one_ahead(decode) -> None:
    day_ns = 86_400 * SECOND_NS
    for edge, inside in ((NOW_NS - 30 * day_ns, 1), (NOW_NS + day_ns, -1)):
        assert one(decode, f'{{"message":"m","ts":{edge}}}').timestamp_ns == edge
        assert one(decode, f'{{"message":"m","ts":{edge - inside}}}').timestamp_ns == NOW_NS


def test_invalid_utf8_is_repaired_and_counted_once_for_each_entry(decode) -> None:
    decoded = decode(b'[{"message":"a\xff\xc3b"},{"message":"fine"},{"message":"\\ud800!"}]')
    assert [entry.message for entry in read_log_batch(decoded.payload)] == ["a\ufffd\ufffdb", "fine", "\ufffd!"]
    assert decoded.repaired == 2


def test_valid_text_comes_through_byte_for_byte(decode) -> None:
    text = "nul \0 line\u2028 rtl \u202e bom \ufeff smile \U0001f600"
    escaped = text.replace("\0", "\\u0000")
    assert one(decode, f'{{"message":"{escaped}"}}').message == text
    assert one(decode, '{"message":"\\ud83d\\ude00 \\" \\\\ \\/ \\n"}').message == '\U0001f600 " \\ / \n'


def test_a_byte_order_mark_is_skipped(decode) -> None:
    assert one(decode, b'\xef\xbb\xbf{"message":"m"}').message == "m"


@pytest.mark.parametrize("form", ['[{"message":"a"},{"message":"b"}]', '{"logs":[{"message":"a"},{"message":"b"}]}'])
def test_arrays_and_wrapped_arrays_hold_many_entries(decode, form: str) -> None:
    assert [entry.message for entry in read_log_batch(decode(form.encode()).payload)] == ["a", "b"]


def test_ndjson_skips_blank_lines_and_reads_any_line_ending(decode) -> None:
    decoded = decode(b'\n{"message":"a"}\r\n\r\n  \n{"message":"b"}\n\n')
    assert (decoded.accepted, decoded.rejected) == (2, 0)


def test_a_pretty_printed_object_is_one_entry(decode) -> None:
    assert one(decode, '{\n  "message": "m",\n  "o": {\n    "a": 1\n  }\n}\n').metadata == {"o.a": 1}


def test_a_bad_line_costs_only_itself(decode) -> None:
    decoded = decode(b'{"message":"a"}\n{"message":\n5\n{"message":"b"}\n{"message":"c"}x\n')
    assert [entry.message for entry in read_log_batch(decoded.payload)] == ["a", "b"]
    assert list(decoded.errors) == [
        (1, "line is not valid JSON at byte 11"),
        (2, "entry is not an object"),
        (4, "line is not valid JSON at byte 15"),
    ]


def test_a_bad_first_line_costs_only_itself(decode) -> None:
    assert reasons(decode, '{"message":"cut\n{"message":"b"}\n') == [(0, "line is not valid JSON at byte 15")]


def test_a_bad_element_costs_only_itself(decode) -> None:
    decoded = decode(b'[{"message":"a"},7,{"x":1},{"message":"b"}]')
    assert decoded.accepted == 2
    assert [index for index, _ in decoded.errors] == [1, 2]


@pytest.mark.parametrize("opener", ["[", '{"a":'])
def test_depth_64_passes_and_depth_65_costs_one_entry(decode, opener: str) -> None:
    closer = "]" if opener == "[" else "}"

    def value(depth: int) -> str:
        return opener * (depth - 1) + "1" + closer * (depth - 1)

    decoded = decode(f'[{{"message":"m","k":{value(64)}}},{{"message":"m","k":{value(65)}}},{{"message":"m"}}]'.encode())
    assert decoded.accepted == 2
    assert list(decoded.errors) == [(1, "nesting deeper than 64")]


def test_a_hundred_thousand_levels_cost_one_entry(decode) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    decoded = decode(b'[{"message":"m","k":' + deep + b'},{"message":"m"},' + deep + b"]")
    assert (decoded.accepted, list(decoded.errors)) == (1, [(0, "nesting deeper than 64"), (2, "entry is not an object")])


@pytest.mark.parametrize(
    ("body", "position"),
    [
        *[(b"[1,2", 4), (b'[{"message":"a"},]', 17), (b'{"message":"a"', 14), (b'{"a":nul}', 8), (b'{"a":01}', 6)],
        *[(b'{"a":"\\x"}', 7), (b'{"a":"tab\there"}', 9), (b'{"a":1}}', 7), (b"[1 2]", 3), (b'["\xff"\xff]', 4), (b"hello", 0)],
    ],
)
def test_a_body_that_is_not_json_says_where(decode, body: bytes, position: int) -> None:
    with pytest.raises(InvalidInput, match=f"^body is not valid JSON at byte {position}$") as caught:
        decode(body)
    assert caught.value.position == position


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused(decode, body: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^body is empty$"):
        decode(body)


@pytest.mark.parametrize("body", [b"5", b'"text"', b"null", b'{"logs":5}', b'{"logs":{"message":"a"}}'])
def test_a_single_value_that_is_no_entry_is_refused(decode, body: bytes) -> None:
    with pytest.raises(InvalidInput, match="neither an entry, nor an array"):
        decode(body)


@pytest.mark.parametrize("between", [b",", b"\n"])
def test_one_entry_too_many_is_too_large(decode, between: bytes) -> None:
    def body(count: int) -> bytes:
        inner = between.join([b"{}"] * count)
        return b"[" + inner + b"]" if between == b"," else inner

    decoded = decode(body(20_000))
    assert (decoded.rejected, len(decoded.errors)) == (20_000, 100)
    with pytest.raises(TooLarge, match="more than 20000 entries"):
        decode(body(20_001))


def test_a_body_beyond_16_mib_is_too_large(decode) -> None:
    with pytest.raises(TooLarge, match=r"^body: 16777217 bytes, limit 16777216$"):
        decode(b" " * (16 * 1024 * 1024 + 1))


MIB = 1024 * 1024
DISPLACED = b'{"message":"' + b"m" * 700 + b'","log":{"a":"b"},"host":{"a":"b"}}'
LONG_PATH = b'{"message":"m","' + b"p" * 100 + b'":{'
HOSTILE: dict[str, tuple[int, Callable[[], bytes]]] = {
    "a million keys": (0, lambda: b'{"message":"m",' + b",".join(b'"%x":1' % number for number in range(MIB)) + b"}"),
    "one key a million times": (1, lambda: LONG_PATH + b",".join([b'"key":1'] * MIB) + b"}}"),
    "many long paths": (0, lambda: LONG_PATH + b",".join(b'"%x":1' % number for number in range(MIB)) + b"}}"),
    "displaced objects": (20_000, lambda: b"[" + b",".join([DISPLACED] * 20_000) + b"]"),
    "brackets": (0, lambda: b"[" * (8 * MIB) + b"]" * (8 * MIB)),
    "bad bytes": (0, lambda: b'{"message":"' + b"\xff" * (15 * MIB) + b'"}'),
    "escapes": (0, lambda: b'[{"message":"' + b"\\ud800" * (2 * MIB) + b'"}]'),
}


@pytest.mark.timed
@pytest.mark.parametrize("name", HOSTILE)
def test_a_large_hostile_body_takes_time_in_proportion_to_its_size(name: str) -> None:
    accepted, make_body = HOSTILE[name]
    body = make_body()
    start = time.process_time()
    assert NativeCodec().decode_json(body, NOW_NS, PEER).accepted == accepted
    assert time.process_time() - start < 3.0
