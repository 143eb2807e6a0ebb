"""What the LogBatch door stamps, repairs, rejects and refuses, and how it says so."""

from collections.abc import Callable

import pytest

from zero.application.ports import Decoded
from zero.domain.entry import Level, LogEntry
from zero.domain.errors import InvalidInput, TooLarge
from zero.infrastructure.codec import decode_log_batch_twin
from zero.infrastructure.codec.log_batch import read_log_batch, write_log_batch
from zero.infrastructure.codec.protobuf_wire import bytes_field, double_field, fixed64_field, varint_field
from zero.infrastructure.native.codec import NativeCodec

NOW_NS = 1_795_341_600_000_000_000
COMPLETE = LogEntry("m", NOW_NS - 5, Level.WARN, "app", "host", "dev", "t", "s", "u", {"a": 1, "b": -0.5, "c": "x", "d": True})

MESSAGE_TAG = 4 << 3 | 2
STAMPED = [
    bytes_field(1, b"default"),
    fixed64_field(2, NOW_NS),
    varint_field(3, Level.INFO),
    bytes_field(4, b"message"),
    bytes_field(5, b"192.0.2.7"),
    bytes_field(6, b"prod"),
]


@pytest.fixture(params=["native", "twin"])
def decode(request: pytest.FixtureRequest) -> Callable[[bytes], Decoded]:
    decoder = NativeCodec().decode_log_batch if request.param == "native" else decode_log_batch_twin.decode_log_batch
    return lambda body: decoder(body, NOW_NS, "192.0.2.7")


def batch(*fields: bytes) -> bytes:
    """One entry with a message and the fields."""
    return bytes_field(1, bytes_field(4, b"m") + b"".join(fields))


def attribute(key: bytes, value: bytes) -> bytes:
    return bytes_field(10, bytes_field(1, key) + bytes_field(2, value))


def one(decode: Callable[[bytes], Decoded], body: bytes) -> LogEntry:
    decoded = decode(body)
    assert (decoded.accepted, decoded.rejected) == (1, 0), decoded.errors
    return read_log_batch(decoded.payload)[0]


def test_a_complete_entry_passes_unchanged(decode) -> None:
    body = write_log_batch([COMPLETE, COMPLETE])
    assert decode(body) == Decoded(body, 2, 0, [], 0)


def test_a_body_that_needs_nothing_is_the_payload_without_a_copy() -> None:
    body = write_log_batch([COMPLETE, COMPLETE])
    assert NativeCodec().decode_log_batch(body, NOW_NS, "").payload is body
    assert NativeCodec().decode_log_batch(memoryview(body), NOW_NS, "").payload == body


@pytest.mark.parametrize("lacking", range(len(STAMPED)))
def test_what_one_of_several_lacks_is_put_in_its_place(decode, lacking: int) -> None:
    whole = bytes_field(1, b"".join(STAMPED) + attribute(b"k", b"\x10\x02"))
    without = bytes_field(1, b"".join(STAMPED[:lacking] + STAMPED[lacking + 1 :]) + attribute(b"k", b"\x10\x02"))
    assert decode(whole + without + whole).payload == whole * (2 if STAMPED[lacking][0] == MESSAGE_TAG else 3)


def test_absent_fields_are_stamped(decode) -> None:
    assert one(decode, batch()) == LogEntry("m", NOW_NS, Level.INFO, "default", "192.0.2.7", "prod")


def test_a_wild_timestamp_is_kept_and_the_time_of_receipt_used(decode) -> None:
    entry = one(decode, batch(fixed64_field(2, 5)))
    assert (entry.timestamp_ns, entry.metadata) == (NOW_NS, {"original_timestamp": "5"})


def test_unknown_fields_and_wrong_types_are_skipped(decode) -> None:
    assert (
        one(decode, varint_field(9, 1) + batch(varint_field(77, 1), varint_field(4, 1), fixed64_field(1, 2))).app_id
        == "default"
    )


def test_of_repeated_fields_and_keys_the_last_wins(decode) -> None:
    entry = one(
        decode, batch(bytes_field(1, b"a"), bytes_field(1, b"b"), attribute(b"k", b"\x10\x02"), attribute(b"k", b"\x28\x01"))
    )
    assert (entry.app_id, entry.metadata) == ("b", {"k": True})


def test_numbers_that_the_store_lacks_become_text(decode) -> None:
    fields = [attribute(name.encode(), double_field(4, float(name))) for name in ("nan", "inf", "-inf")]
    assert one(decode, batch(*fields)).metadata == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def test_a_value_without_a_member_is_no_value(decode) -> None:
    assert one(decode, batch(attribute(b"k", b""))).metadata == {}


def test_an_unsigned_value_that_fits_a_signed_one_becomes_it(decode) -> None:
    decoded = decode(batch(attribute(b"k", varint_field(3, 5))))
    assert decoded.payload.endswith(attribute(b"k", varint_field(2, 10)))


def test_invalid_utf8_is_repaired_and_counted(decode) -> None:
    decoded = decode(batch(attribute(b"k\xff", bytes_field(1, b"\xe2\x82"))))
    assert read_log_batch(decoded.payload)[0].metadata == {"k\ufffd": "\ufffd"}
    assert decoded.repaired == 1


@pytest.mark.parametrize("number", [7, 2**31 - 1, -1])
def test_an_unknown_level_is_info_and_kept(decode, number: int) -> None:
    entry = read_log_batch(decode(batch(varint_field(3, number % 2**64))).payload)[0]
    assert (entry.level, entry.metadata) == (Level.INFO, {"original_level": number})


def test_a_bad_entry_costs_only_itself(decode) -> None:
    decoded = decode(
        batch() + bytes_field(1, b"") + batch(bytes_field(1, b"x" * 129)) + batch(bytes_field(8, b"x" * 33)) + batch()
    )
    assert decoded.accepted == 2
    assert list(decoded.errors) == [
        (1, "message: missing or empty, limit 1 to 262144 bytes"),
        (2, "app_id: 129 bytes, limit 128"),
        (3, "span_id: 33 bytes, limit 32"),
    ]


@pytest.mark.parametrize(
    ("tail", "within"),
    [
        (b"\x0a", 0),  # no length
        (b"\x0a\x05ab", 0),  # shorter than its length
        (b"\x08\xff", 0),  # cut varint
        (b"\x08" + b"\xff" * 10 + b"\x01", 0),  # endless varint
        (b"\x0b\x0c", 0),  # a group
        (b"\x00\x01", 0),  # field number 0
        (b"\x0f", 0),  # wire type 7
        (b"\x0a\x02\x22\x05", 2),  # inside of the entry
    ],
)
def test_what_is_not_protobuf_is_refused_with_its_position(decode, tail: bytes, within: int) -> None:
    position = len(batch()) + within
    with pytest.raises(InvalidInput, match=rf"^body is not a valid LogBatch at byte {position}$") as caught:
        decode(batch() + tail)
    assert caught.value.position == position


def test_an_empty_body_is_refused(decode) -> None:
    with pytest.raises(InvalidInput, match="body is empty"):
        decode(b"")


def test_one_entry_too_many_is_too_large(decode) -> None:
    assert decode(b"\x0a\x00" * 20_000).rejected == 20_000
    with pytest.raises(TooLarge, match="more than 20000 entries"):
        decode(b"\x0a\x00" * 20_001)


def test_a_body_beyond_16_mib_is_too_large(decode) -> None:
    with pytest.raises(TooLarge, match="body: 16777217 bytes"):
        decode(bytes(16 * 1024 * 1024 + 1))
