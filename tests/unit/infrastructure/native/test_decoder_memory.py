"""What a hostile body makes a decoder take in memory: no more than some times its own size."""

import sys
import time
from pathlib import Path

import pytest

from zero.infrastructure.codec.protobuf_wire import bytes_field
from zero.infrastructure.native.codec import NativeCodec

NATIVE = NativeCodec()
MEMORY_MIB_MAX = 16
OTLP_MEMBERS = 512 * 1024
SYSLOG_PARAMETERS = 6_000
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")


def otlp_of_members_that_say_nothing() -> bytes:
    """Return a record with one attribute: a list under a long key, of members without key and value."""
    value = bytes_field(6, b"\x0a\x00" * OTLP_MEMBERS)
    attribute = bytes_field(1, b"k" * 120) + bytes_field(2, value)
    record = bytes_field(5, bytes_field(1, b"hello")) + bytes_field(6, attribute)
    return bytes_field(1, bytes_field(2, bytes_field(2, record)))


def syslog_of_a_long_id_with_many_parameters() -> bytes:
    return b"<14>1 - host app - - [" + b"i" * 32_000 + b' a=""' * SYSLOG_PARAMETERS + b"] hello\n"


def peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.parametrize(
    ("decode", "body", "kept"),
    [
        (NATIVE.decode_otlp, otlp_of_members_that_say_nothing(), (1, 0)),
        (NATIVE.decode_syslog, syslog_of_a_long_id_with_many_parameters(), (0, 1)),
    ],
    ids=["otlp", "syslog"],
)
def test_keys_that_are_not_kept_cost_no_memory(decode, body, kept):
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = peak_mib()
    decoded = decode(body, time.time_ns(), "192.0.2.7")
    assert peak_mib() - before < MEMORY_MIB_MAX
    assert (decoded.accepted, decoded.rejected) == kept
