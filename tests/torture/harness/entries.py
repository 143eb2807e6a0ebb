"""Entries that can be judged: the message begins with (batch, index), and a digest covers what every door carries."""

import hashlib
import json
import random
import struct
import time
from dataclasses import dataclass

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.torture.harness.oracle import DIGEST_BYTES
from zero.infrastructure.native.codec import NativeCodec

LEVELS = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
"""The severity number of OTLP for each level."""
DAYS = (0, 0, 0, 1, 2)
"""How old entries claim to be: a block of several days becomes visible one partition after the other."""
WORDS = ("timeout", "grün", "order", "retry", "日本", "x" * 40, "connection reset by peer", "O'Brien", '"quoted"', "tab\there")
_DIGEST_SQL = (
    "substring(MD5(concat(message, '\\x1f', app_id, '\\x1f', toString(level), '\\x1f', toString(metadata.check))), 1, 8)"
)
STORED_SQL = (
    "SELECT toInt64OrZero(extract(message, '^t([0-9]+)[.][0-9]+ ')) AS batch,"
    " toUInt32OrZero(extract(message, '^t[0-9]+[.]([0-9]+) ')) AS index,"
    f" toFixedString({_DIGEST_SQL}, 8) AS digest FROM logs WHERE app_id != 'probe' FORMAT RowBinary"
)
"""Every entry of the store that is not a probe; batch 0, which none has, for a row that names none."""
STORED_ROW = struct.Struct(f"<qI{DIGEST_BYTES}s")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is sent of one entry."""

    message: str
    app_id: str
    level: str
    check: str
    timestamp_ns: int

    @property
    def digest(self) -> bytes:
        """The digest that ``STORED_SQL`` computes of the stored row."""
        text = "\x1f".join((self.message, self.app_id, self.level, self.check))
        return hashlib.md5(text.encode()).digest()[:DIGEST_BYTES]


def make_entries(batch: int, count: int, door: str, source: random.Random) -> list[Entry]:
    """Return the entries of a batch."""
    now_ns, old = time.time_ns(), source.choice(DAYS) * 86_400 * 10**9
    return [
        Entry(
            f"t{batch}.{index} {' '.join(source.choices(WORDS, k=3))} {source.getrandbits(64):x}",
            f"torture-{door}",
            source.choice(list(LEVELS)),
            f"{source.getrandbits(48):x}",
            now_ns - old * (index % 2),
        )
        for index in range(count)
    ]


def as_json(entries: list[Entry]) -> bytes:
    """Return the body of the JSON door."""
    return json.dumps([_document(entry) for entry in entries]).encode()


def as_log_batch(entries: list[Entry]) -> bytes:
    """Return a ``LogBatch``."""
    return NativeCodec().decode_json(as_json(entries), time.time_ns(), "127.0.0.1").payload


def as_otlp(entries: list[Entry]) -> bytes:
    """Return an ``ExportLogsServiceRequest``."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=entries[0].app_id)))
    scope = resource.scope_logs.add()
    for entry in entries:
        record = scope.log_records.add(time_unix_nano=entry.timestamp_ns, severity_number=LEVELS[entry.level])
        record.body.string_value = entry.message
        record.attributes.append(KeyValue(key="check", value=AnyValue(string_value=entry.check)))
    return request.SerializeToString()


def _document(entry: Entry) -> dict[str, object]:
    return {
        "message": entry.message,
        "app_id": entry.app_id,
        "level": entry.level,
        "timestamp": entry.timestamp_ns,
        "metadata": {"check": entry.check},
    }
