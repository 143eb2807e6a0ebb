"""Text meant to harm whoever stores or shows it, through every door: kept as it is, or repaired where it is no Unicode."""

import asyncio
import json
from collections.abc import Callable

import cramjam
import grpc
import pytest

from tests.integration.abuse.conftest import Ingest, emptied
from tests.integration.abuse.doors import DOORS, RPCS, call
from tests.integration.test_ingest_http import drained
from zero.infrastructure.codec.protobuf_wire import bytes_field, varint_field

pytestmark = [pytest.mark.alone, pytest.mark.timed]
TEXTS = {
    "NUL": "a\0b",
    "controls": "a\x1b[2J\x07\x7f\x9bb",
    "line and paragraph separators": "a\u2028b\u2029c\x85d",
    "right to left": "user\u202egnp.exe\u2066\u2069",
    "marks of byte order": "\ufeffa\ufeff\ufffe",
    "no characters": "a\uffff\U0010ffff\ufdd0",
    "nothing to see": "\u200b\u200c\u200d\u2060\u00ad",
    "ten thousand accents": "a" + "\u0301" * 10_000,
    "a family of a thousand": "\U0001f468" + "\u200d\U0001f469" * 1_000,
    "tags": "a" + "".join(chr(0xE0000 + ord(letter)) for letter in "ignore what was said"),
    "one that grows in upper case": "\ufb03\u0390\u1e9e" * 1_000,
    "markup": '</script><script>alert("1")</script>{{7*7}}${jndi:ldap://x}',
    "the end of every quote": "'\"`\\%s%n$(id);--",
}
BROKEN = {
    "a byte that never occurs": (b"a\xffb", "a\ufffdb"),
    "a form too long": (b"a\xc0\xafb", "a\ufffd\ufffdb"),
    "half of a pair": (b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"),
    "beyond the last plane": (b"a\xf4\x90\x80\x80b", "a\ufffd\ufffd\ufffd\ufffdb"),
    "cut off": (b"a\xf0\x9f\x98", "a\ufffd"),
    "a tail alone": (b"\x80a", "\ufffda"),
}


def quoted(raw: bytes) -> bytes:
    """Return the bytes as a JSON string, whatever they are."""
    return b'"' + b"".join(b"\\u%04x" % byte if byte < 32 else b"\\" * (byte in b'"\\') + bytes([byte]) for byte in raw) + b'"'


def push(raw: bytes) -> bytes:
    entry = bytes_field(1, varint_field(1, 1_795_341_600)) + bytes_field(2, raw)
    body = bytes_field(1, bytes_field(1, b'{a="b"}') + bytes_field(2, entry))
    return bytes(cramjam.snappy.compress_raw(body))


def export(raw: bytes) -> bytes:
    return bytes_field(1, bytes_field(2, bytes_field(2, bytes_field(5, bytes_field(1, raw)))))


def log_batch(raw: bytes) -> bytes:
    return bytes_field(1, bytes_field(4, raw))


OTLP_JSON = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":%b}}]}]}]}'
LOKI_JSON = b'{"streams":[{"stream":{"a":"b"},"values":[["1795341600000000000",%b]]}]}'
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "JSON": lambda raw: b'{"message":%b}' % quoted(raw),
    "LogBatch": log_batch,
    "OTLP": export,
    "OTLP/JSON": lambda raw: OTLP_JSON % quoted(raw),
    "bulk": lambda raw: b'{"index":{}}\n{"message":%b}\n' % quoted(raw),
    "Loki": push,
    "Loki/JSON": lambda raw: LOKI_JSON % quoted(raw),
    "IngestLogs": log_batch,
    "IngestStream": log_batch,
    "Export": export,
}


def sent(ingest: Ingest, raw: bytes) -> dict[str, list[str]]:
    """Send the bytes as a message through every door; return the messages that came out of the buffer, by door."""
    found = {}
    for name, form in FORMS.items():
        asyncio.run(emptied(ingest.buffer_url))
        if name in RPCS:
            assert call(ingest.grpc_port, RPCS[name], form(raw)) is grpc.StatusCode.OK, name
        else:
            assert DOORS[name].knock(ingest.port, form(raw)) in (200, 202, 204), name
        found[name] = [entry.message for entry in asyncio.run(drained(ingest.buffer_url))]
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_comes_out_of_every_door_as_it_went_in(ingest: Ingest, name: str) -> None:
    assert sent(ingest, TEXTS[name].encode()) == {key: [TEXTS[name]] for key in FORMS}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_are_no_unicode_are_replaced_at_every_door(ingest: Ingest, name: str) -> None:
    raw, repaired = BROKEN[name]
    assert sent(ingest, raw) == {key: [repaired] for key in FORMS}


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00\\ud800", "\\ud83d x"])
def test_halves_of_pairs_in_escapes_are_replaced(ingest: Ingest, escape: str) -> None:
    expected = json.loads(f'"{escape}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for name in ("JSON", "OTLP/JSON", "bulk", "Loki/JSON"):
        asyncio.run(emptied(ingest.buffer_url))
        body = FORMS[name](b"@").replace(b"@", escape.encode())
        assert DOORS[name].knock(ingest.port, body) in (200, 202, 204)
        (entry,) = asyncio.run(drained(ingest.buffer_url))
        assert set(entry.message) <= set(expected) | {"\ufffd"}, name
        assert "\ufffd" in entry.message


def test_a_flood_of_repairs_costs_no_more_than_any_body(ingest: Ingest) -> None:
    ingest.take_honest_bodies()
    bodies = [("JSON", b'{"message":"' + b"\xff" * (8 << 20) + b'"}'), ("LogBatch", log_batch(b"\xff" * 250_000) * 60)]
    ingest.http.bears(lambda: [DOORS[door].knock(ingest.port, body) for door, body in bodies])
    asyncio.run(emptied(ingest.buffer_url))
