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
NUMBER_KEY = "größe"
"""The key of a metadata value that is a number; the other, a text, is ``check``."""
_COLUMNS = (
    *(
        "message",
        "app_id",
        "toString(level)",
        "toString(toUnixTimestamp64Nano(timestamp))",
        "source",
        "environment",
        "trace_id",
    ),
    *("span_id", "user_id", "toString(metadata.check)", f"toString(metadata.`{NUMBER_KEY}`)"),
)
"""What every door carries, in the order of ``Entry``; OTLP has no user."""
_DIGEST_SQL = "substring(MD5(concat(" + ", '\\x1f', ".join(_COLUMNS) + ")), 1, 8)"
STORED_SQL = (
    "SELECT toInt64OrZero(extract(message, '^t([0-9]+)[.][0-9]+ ')) AS batch,"
    " toUInt32OrZero(extract(message, '^t[0-9]+[.]([0-9]+) ')) AS index,"
    f" toFixedString({_DIGEST_SQL}, 8) AS digest FROM logs WHERE app_id != 'probe' FORMAT RowBinary"
)
"""Every entry of the store that is not a probe; batch 0, which none has, for a row that names none."""
COUNT_SQL = "SELECT count() FROM logs WHERE app_id != 'probe'"
STORED_ROW = struct.Struct(f"<qI{DIGEST_BYTES}s")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is sent of one entry."""

    message: str
    app_id: str
    level: str
    timestamp_ns: int
    source: str
    environment: str
    trace_id: str
    span_id: str
    user_id: str
    check: str
    number: int

    @property
    def digest(self) -> bytes:
        """The digest that ``STORED_SQL`` computes of the stored row."""
        text = "\x1f".join(str(getattr(self, name)) for name in self.__slots__)
        return hashlib.md5(text.encode()).digest()[:DIGEST_BYTES]


def make_entries(batch: int, count: int, door: str, source: random.Random) -> list[Entry]:
    """Return the entries of a batch. Host and environment are one for all of them: OTLP says them once."""
    now_ns, old = time.time_ns(), source.choice(DAYS) * 86_400 * 10**9
    host, environment = f"host-{source.randrange(50)}.grün", source.choice(("production", "staging"))
    return [
        Entry(
            message=f"t{batch}.{index} {' '.join(source.choices(WORDS, k=3))} {source.getrandbits(64):x}",
            app_id=f"torture-{door}",
            level=source.choice(list(LEVELS)),
            timestamp_ns=now_ns - old * (index % 2) - source.getrandbits(20),
            source=host,
            environment=environment,
            trace_id=f"{source.getrandbits(128) | 1:032x}",
            span_id=f"{source.getrandbits(64) | 1:016x}",
            user_id="" if door.startswith("otlp") else f"user-{source.randrange(1000)}",
            check=f"{source.getrandbits(48):x} {source.choice(WORDS)}",
            number=source.getrandbits(48),
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
    one = entries[0]
    names = {"service.name": one.app_id, "host.name": one.source, "deployment.environment.name": one.environment}
    resource.resource.attributes.extend(KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in names.items())
    scope = resource.scope_logs.add()
    for entry in entries:
        record = scope.log_records.add(time_unix_nano=entry.timestamp_ns, severity_number=LEVELS[entry.level])
        record.body.string_value = entry.message
        record.trace_id, record.span_id = bytes.fromhex(entry.trace_id), bytes.fromhex(entry.span_id)
        record.attributes.append(KeyValue(key="check", value=AnyValue(string_value=entry.check)))
        record.attributes.append(KeyValue(key=NUMBER_KEY, value=AnyValue(int_value=entry.number)))
    return request.SerializeToString()


def _document(entry: Entry) -> dict[str, object]:
    return {
        "message": entry.message,
        "app_id": entry.app_id,
        "level": entry.level,
        "timestamp": entry.timestamp_ns,
        "source": entry.source,
        "environment": entry.environment,
        "trace_id": entry.trace_id,
        "span_id": entry.span_id,
        "user_id": entry.user_id,
        "metadata": {"check": entry.check, NUMBER_KEY: entry.number},
    }
