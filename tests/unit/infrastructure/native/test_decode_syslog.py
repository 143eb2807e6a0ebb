"""Syslog as it comes off the wire: what becomes of each part, in both readers, and that they agree on anything."""

import calendar
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zero.domain.entry import Level, LogEntry
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_syslog_twin import FACILITIES, decode_syslog
from zero.infrastructure.codec.log_batch import read_log_batch
from zero.infrastructure.native.codec import NativeCodec

NATIVE = NativeCodec()
NOW_NS = 1_795_341_600_000_000_000  # 2026-11-22T10:00:00Z
PEER = "192.0.2.7"


def outcome(decode, body: bytes, offset: int) -> tuple[object, ...]:
    try:
        result = decode(body, NOW_NS, PEER, offset)
    except InvalidInput as error:
        return type(error), error.message
    return result.payload, result.accepted, result.rejected, list(result.errors), result.repaired


def read(text: str | bytes, offset: int = 0) -> LogEntry:
    """Return the one entry of a message; both readers must agree."""
    body = text if isinstance(text, bytes) else text.encode()
    found = outcome(NATIVE.decode_syslog, body, offset)
    assert found == outcome(decode_syslog, body, offset)
    assert found[1:3] == (1, 0), found
    return read_log_batch(found[0])[0]


def at(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S")) * 10**9


def test_every_part_of_rfc_5424_has_its_field():
    entry = read(
        '<165>1 2026-11-22T09:14:15.003+01:00 web-1 shop 8710 ID47 [ex@32473 iut="3" src="A\\"p\\]p\\\\"][flag] \ufeffAn event'
    )
    assert (entry.message, entry.level, entry.app_id, entry.source) == ("An event", Level.INFO, "shop", "web-1")
    assert entry.timestamp_ns == at("2026-11-22 08:14:15") + 3_000_000
    assert entry.metadata == {
        "facility": "local4",
        "severity": "notice",
        "procid": "8710",
        "msgid": "ID47",
        "sd.ex@32473.iut": "3",
        "sd.ex@32473.src": 'A"p]p\\',
        "sd.flag": True,
    }


@pytest.mark.parametrize(
    ("head", "long"),
    [
        ("<34>Oct 11 22:14:15", '{"a":"' + "x" * 300 + '"}'),
        ("<34>1 -", "h" * 256 + " - - -"),
        ("<34>1 - h", "a" * 129 + " - -"),
    ],
)
def test_a_word_that_is_too_long_for_its_field_is_part_of_the_message(head, long):
    entry = read(f"{head} {long} tail")
    assert long in entry.message
    assert entry.message.endswith(" tail")
    assert entry.source == PEER


def test_nil_values_are_what_is_absent_anywhere():
    entry = read("<14>1 - - - - - - hello")
    assert (entry.message, entry.app_id, entry.source, entry.timestamp_ns) == ("hello", "default", PEER, NOW_NS)
    assert entry.metadata == {"facility": "user", "severity": "info"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<14>1 - h a - - [x y="1"]', '[x y="1"]'),  # nothing else is said
        ('<14>1 - h a - - [x y="1" hello', '[x y="1" hello'),  # no structured data: part of the message
        ('<14>1 - h a - - [x y="1"]hello', '[x y="1"]hello'),
        ("<14>1 - h a - - hello", "hello"),
        ("<14>1 - h a - -  no data", " no data"),
        ("<14>1 - h a - - -  as rsyslog does", "as rsyslog does"),
        ('<14>1 - h a - - [x y="1"]   indented', " indented"),
        ("<14>1 half a header", "1 half a header"),
        ("<14>2 - h a - - - x", "2 - h a - - - x"),
    ],
)
def test_what_is_not_rfc_5424_is_still_said(text, message):
    assert read(text).message == message


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<34>Nov 22 09:14:15 web-1 su[12]: 'su root' failed", ("'su root' failed", "su", "web-1", "12")),
        ("<34>Nov 22 09:14:15 web-1 su: x: y", ("x: y", "su", "web-1", None)),
        ("<34>Nov 22 09:14:15 su[12]: x", ("x", "su", PEER, "12")),
        ("<34>Nov 22 09:14:15 su: x", ("x", "su", PEER, None)),
        ("<34>Nov 22 09:14:15 web-1 just words", ("just words", "default", "web-1", None)),
        ("<34>2026-11-22T09:14:15Z web-1 su[12]: x", ("x", "su", "web-1", "12")),
        ("<34>su: x", ("x", "su", PEER, None)),
        ("<34>http://x is up", ("http://x is up", "default", PEER, None)),
        ("<34>%SYS-5-CONFIG: Configured", ("Configured", "%SYS-5-CONFIG", PEER, None)),
        ("just words", ("just words", "default", PEER, None)),
        ("<34>tag:", ("tag:", "tag", PEER, None)),
    ],
)
def test_rfc_3164_gives_what_is_plain_to_see(text, fields):
    entry = read(text)
    assert (entry.message, entry.app_id, entry.source, entry.metadata.get("procid")) == fields


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("Nov 22 09:14:15", 0, "2026-11-22 09:14:15"),
        ("Nov 22 09:14:15", 7200, "2026-11-22 07:14:15"),
        ("Nov 22 01:14:15", -3600 * 8, "2026-11-22 09:14:15"),
        ("Nov  1 09:14:15", 0, "2026-11-01 09:14:15"),
        ("Nov 1 09:14:15", 0, "2026-11-01 09:14:15"),
        ("Nov 22 2026 09:14:15", 0, "2026-11-22 09:14:15"),
        ("Nov 22 09:14:15:", 0, "2026-11-22 09:14:15"),
    ],
)
def test_a_time_without_year_and_zone_is_that_of_the_nearest_year_in_our_zone(text, offset, expected):
    assert read(f"<34>{text} h su: x", offset).timestamp_ns == at(expected)


@pytest.mark.parametrize(
    ("now", "text", "meant"),
    [
        ("2027-01-01 01:00:00", "Dec 31 23:00:00", "2026-12-31 23:00:00"),
        ("2026-12-31 23:00:00", "Jan  1 01:00:00", "2027-01-01 01:00:00"),
    ],
)
def test_the_turn_of_the_year_is_no_year_away(now, text, meant):
    (entry,) = read_log_batch(NATIVE.decode_syslog(f"<1>{text} h t: x".encode(), at(now), "", 0).payload)
    assert entry.timestamp_ns == at(meant)


def test_a_wild_time_is_kept_as_text():
    entry = read("<34>Oct 11 2003 22:14:15 h su: x")
    assert (entry.timestamp_ns, entry.metadata["original_timestamp"]) == (NOW_NS, "Oct 11 2003 22:14:15")


@pytest.mark.parametrize("priority", range(0, 192, 5))
def test_a_priority_is_a_facility_and_a_level(priority):
    entry = read(f"<{priority}>x")
    levels = [Level.FATAL] * 3 + [Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG]
    assert (entry.level, entry.metadata["facility"]) == (levels[priority % 8], FACILITIES[priority // 8])


@pytest.mark.parametrize("text", ["<192>x", "<>x", "<1x", "<-1>x", "<0013>x"])
def test_what_is_no_priority_is_part_of_the_message(text):
    entry = read(text)
    assert (entry.message, entry.level, entry.metadata["facility"]) == (text, Level.INFO, "user")


def test_invalid_utf8_is_repaired_and_counted():
    assert read(b"<14>caf\xe9 ol\xc3").message == "caf\ufffd ol\ufffd"
    assert NATIVE.decode_syslog(b"<14>\xff", NOW_NS, "", 0).repaired == 1


def test_counted_messages_and_lines_may_follow_each_other():
    body = b"7 <13>a\nb<13>line\r\n8 <13>last\n\n\0<14>more\n12 <13>cut"
    decoded = NATIVE.decode_syslog(body, NOW_NS, "", 0)
    assert [entry.message for entry in read_log_batch(decoded.payload)] == ["a\nb", "line", "last", "more"]
    assert decoded.errors == [(4, "message: cut off")]
    assert outcome(decode_syslog, body, 0) == outcome(NATIVE.decode_syslog, body, 0)


def test_a_message_longer_than_any_is_rejected():
    decoded = NATIVE.decode_syslog(b"<14>" + b"x" * (256 * 1024 + 1), NOW_NS, "", 0)
    assert (decoded.accepted, decoded.rejected) == (0, 1)


WHOLE = [
    (b"", (0, 0)),
    (b"<13>a\n<13>b\n<13>c", (12, 0)),
    (b"5 <13>a5 <13>b5 <13", (14, 0)),
    (b"5 <13>a12", (7, 0)),
    (b"5 <13>a12 ", (7, 0)),
    (b"5 <13>a99999 <13>", (7, 6 + 99999)),
    (b"<13>a\n" + b"x" * 101, (6, -1)),
    (b"<13>a\n" + b"x" * 101 + b"\nmore", (6, 102)),
    (b"\n\r\0\n", (4, 0)),
]


@pytest.mark.parametrize(("stream", "expected"), WHOLE)
def test_a_stream_is_cut_behind_its_last_whole_message(stream, expected):
    assert NATIVE.cut_syslog(stream, 100, 1000) == expected


def test_a_cut_holds_no_more_messages_than_asked_for():
    assert NATIVE.cut_syslog(b"a\n" * 10, 100, 3) == (6, 0)


def test_how_a_stream_arrives_does_not_matter():
    stream = b"7 <13>a\nb<13>line\r\n8 <13>last\n\n<14>more\n"
    whole = NATIVE.decode_syslog(stream, NOW_NS, "", 0).payload
    held, out = bytearray(), b""
    for byte in stream:
        held.append(byte)
        complete, skip = NATIVE.cut_syslog(held, 100, 1000)
        assert skip == 0
        out += NATIVE.decode_syslog(bytes(held[:complete]), NOW_NS, "", 0).payload
        del held[:complete]
    assert (bytes(held), out) == (b"", whole)


parts = st.one_of(
    st.sampled_from(["<13>", "<165>1 ", "<999>", "1 ", "- ", "-", " ", "\n", "\r", "\0", "é", "hello", "\ufeff"]),
    st.sampled_from(["Nov 22 09:14:15 ", "Feb 29 01:02:03 ", "Oct  1 2024 00:00:60.5: ", "2026-99-22T09:14:15Z "]),
    st.sampled_from(["2026-11-22T09:14:15Z ", "2026-11-22T09:14:15.5+02:00 ", "web-1 ", "su[12]: ", "su: ", "su[]:", "x:y"]),
    st.sampled_from(['[a b="c"]', '[a b="\\"\\]\\x"]', "[a]", "[a ", '[a  b="" ]']),
    st.text(max_size=6),
)
message = st.lists(parts, max_size=9).map("".join).map(str.encode)
framed = st.one_of(
    message,
    message.map(lambda raw: b"%d %b" % (len(raw), raw)),
    message.map(lambda raw: raw + b"\n"),
    st.tuples(message, st.integers(0, 40)).map(lambda pair: b"%d %b" % (pair[1], pair[0])),
    st.binary(max_size=20),
)


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(framed, max_size=4).map(b"".join), st.sampled_from([0, 7200, -28800]))
@example(b"<1>Jan 22 00:00:00", 0)
@example(b"99 <1>cut", 0)
@example(b"<13>1 2026-11-22T09:14:15Z h a p m", 0)
def test_both_readers_agree_on_anything(body, offset):
    assert outcome(NATIVE.decode_syslog, body, offset) == outcome(decode_syslog, body, offset)
