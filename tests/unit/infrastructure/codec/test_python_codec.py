"""The codec of the stages before the native one gives what the native one gives."""

import json

import pytest

from zero.domain.errors import InvalidInput
from zero.domain.frame import pack_frame, unpack_frame
from zero.infrastructure.codec import plain_json
from zero.infrastructure.codec.entry_twin import Stamp
from zero.infrastructure.codec.python_codec import PythonCodec
from zero.infrastructure.native.codec import NativeCodec

NATIVE = NativeCodec()
PYTHON = PythonCodec(NATIVE.crc32c)
NOW_NS = 1_795_341_600_123_456_789
STAMP = Stamp(NOW_NS, "192.0.2.7")
ENTRY = {
    "app_id": "shop",
    "timestamp": "2026-11-22T10:00:00.002Z",
    "level": "warn",
    "message": 'order "7" refused after 12.50 ms: größer',
    "source": "web-3",
    "environment": "staging",
    "trace_id": "9531985d5d9dc9f81818e811892f902b",
    "user_id": "u3801",
    "metadata": {"host": "node-1", "status": 500, "duration_ms": 7.52, "retry": True, "none": None, "big": 2**70},
}
LINE = json.dumps(ENTRY, ensure_ascii=False).encode()


def test_a_usual_entry_is_read_by_the_parser_of_the_standard_library():
    assert plain_json.read_plain(LINE, STAMP) is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"message":"a","other":1}',
        b'{"message":"a","metadata":{"a":{"b":1}}}',
        b'{"message":"a","metadata":{},"metadata":{"a":1}}',
        b'{"message":"\\ud800"}',
        b'{"message":"a","level":30}',
        b'{"message":"a","metadata":{"n":NaN}}',
        b'["message"]',
        b'{"message":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_usual_is_left_to_the_twin(line):
    assert plain_json.read_plain(line, STAMP) is None


@pytest.mark.parametrize(
    "body", [LINE, LINE + b"\n", b"\n".join([LINE, b"", b"{oops", LINE]), b"[" + LINE + b"]", b'{"logs":[]}']
)
def test_bodies_are_decoded_to_the_same_bytes(body):
    assert PYTHON.decode_json(body, NOW_NS, "192.0.2.7") == NATIVE.decode_json(body, NOW_NS, "192.0.2.7")


@pytest.mark.parametrize("body", [b"", b" \n", b"7", b'{"message":'])
def test_unreadable_bodies_are_refused_in_the_same_words(body):
    with pytest.raises(InvalidInput) as native:
        NATIVE.decode_json(body, NOW_NS, "")
    with pytest.raises(InvalidInput) as python:
        PYTHON.decode_json(body, NOW_NS, "")
    assert (python.value.message, python.value.position) == (native.value.message, native.value.position)


def test_blocks_are_the_same_bytes():
    decoded = PYTHON.decode_json(b"\n".join([LINE] * 3), NOW_NS, "192.0.2.7")
    frame = unpack_frame(pack_frame(7, 1, 3, "default", (decoded.payload,), NATIVE.crc32c), PYTHON.crc32c)
    assert PYTHON.encode_block([frame]) == NATIVE.encode_block([frame])


def test_bulk_items_are_numbered_as_the_receipt_says():
    body = b'{"index":{"_index":"a"}}\n{"message":"m"}\n{"delete":{"_index":"a"}}\n{"create":{"_id":"x"}}\n{"message":"n"}\n'
    answers = []
    for codec in (PYTHON, NATIVE):
        decoded, outcomes = codec.decode_bulk(body, NOW_NS, "", "b")
        answers.append((decoded, json.loads(codec.bulk_items(outcomes, 5, 2**32 - 1))))
    assert answers[0] == answers[1]
