"""``zero bench doors``: all doors over the same entries, against NDJSON: their decoders, and from request to stored entry."""

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cramjam

from bench import corpus, record
from bench.doors_load import CONNECTIONS, GRPC_CONNECTIONS, Door, cost_of_keys, end_to_end, stream_of
from bench.load import NDJSON, PROTOBUF, Load
from bench.native import BATCH_ENTRIES, ENTRIES, PEER, RUNS
from zero.infrastructure.codec.protobuf_wire import bytes_field, double_field, fixed64_field, varint_field
from zero.infrastructure.native.codec import NativeCodec

CODEC = NativeCodec()
NOW_NS = time.time_ns()
LOAD_BATCHES = 64
STREAM_BATCHES = 8
SINGLES = 2_000
SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}

Entry = dict[str, Any]
Encode = Callable[[list[Entry]], bytes]
Decode = Callable[[bytes], int]


def by_origin(entries: list[Entry]) -> dict[tuple[str, str, str], list[Entry]]:
    """Return the entries by what senders say once for many: application, source and environment."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.get("app_id", ""), entry.get("source", ""), entry.get("environment", "")].append(entry)
    return groups


def otlp(entries: list[Entry]) -> bytes:
    """Return an ExportLogsServiceRequest."""
    request = b""
    names = ("service.name", "host.name", "deployment.environment.name")
    for origin, group in by_origin(entries).items():
        resource = b"".join(bytes_field(1, _attribute(name, text)) for name, text in zip(names, origin, strict=True))
        records = b"".join(bytes_field(2, _otlp_record(entry)) for entry in group)
        scope_logs = bytes_field(1, bytes_field(1, b"bench")) + records
        request += bytes_field(1, bytes_field(1, resource) + bytes_field(2, scope_logs))
    return request


def _otlp_record(entry: Entry) -> bytes:
    attributes = {**entry.get("metadata", {}), "user.id": entry.get("user_id", "")}
    return (
        fixed64_field(1, NOW_NS)
        + varint_field(2, SEVERITIES[entry["level"]])
        + bytes_field(3, entry["level"].encode())
        + bytes_field(5, bytes_field(1, entry["message"].encode()))
        + b"".join(bytes_field(6, _attribute(name, value)) for name, value in attributes.items())
        + bytes_field(9, bytes.fromhex(entry.get("trace_id", "")))
    )


def _attribute(name: str, value: str | int | float) -> bytes:
    if isinstance(value, str):
        member = bytes_field(1, value.encode())
    else:
        member = varint_field(3, value) if isinstance(value, int) else double_field(4, value)
    return bytes_field(1, name.encode()) + bytes_field(2, member)


def otlp_json(entries: list[Entry]) -> bytes:
    """Return the same in OTLP/JSON."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    message = MessageToDict(ExportLogsServiceRequest.FromString(otlp(entries)), use_integers_for_enums=True)
    records = [each for logs in message["resourceLogs"] for each in logs["scopeLogs"][0]["logRecords"]]
    ordered = [entry for group in by_origin(entries).values() for entry in group]
    for found, entry in zip(records, ordered, strict=True):
        found["traceId"] = entry.get("trace_id", "")
    return json.dumps(message, separators=(",", ":")).encode()


def bulk(entries: list[Entry]) -> bytes:
    """Return a bulk body, as shippers write it: the same action in front of each document."""
    return b"".join(b'{"create":{"_index":"logs-shop-prod"}}\n' + _json(entry) + b"\n" for entry in entries)


def loki(entries: list[Entry]) -> bytes:
    """Return a PushRequest, uncompressed."""
    request = b""
    for (app, host, environment), group in by_origin(entries).items():
        labels = f'{{app="{app}", env="{environment}", host="{host}"}}'
        request += bytes_field(
            1, bytes_field(1, labels.encode()) + b"".join(bytes_field(2, _loki_entry(each)) for each in group)
        )
    return request


def _loki_entry(entry: Entry) -> bytes:
    when = varint_field(1, NOW_NS // 10**9) + varint_field(2, NOW_NS % 10**9)
    pairs = (bytes_field(1, name.encode()) + bytes_field(2, value.encode()) for name, value in _structured(entry).items())
    return bytes_field(1, when) + bytes_field(2, entry["message"].encode()) + b"".join(bytes_field(3, pair) for pair in pairs)


def _structured(entry: Entry) -> dict[str, str]:
    fields = {name: entry[name] for name in ("level", "trace_id", "user_id") if name in entry}
    return {name: str(value) for name, value in {**fields, **entry.get("metadata", {})}.items()}


def loki_json(entries: list[Entry]) -> bytes:
    """Return the same in JSON."""
    streams = [
        {
            "stream": {"app": app, "env": environment, "host": host},
            "values": [[str(NOW_NS), entry["message"], _structured(entry)] for entry in group],
        }
        for (app, host, environment), group in by_origin(entries).items()
    ]
    return _json({"streams": streams})


def ndjson(entries: list[Entry]) -> bytes:
    """Return lines of JSON."""
    return b"\n".join(map(_json, entries))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _bulk_with_items(body: bytes) -> int:
    decoded, outcomes = CODEC.decode_bulk(body, NOW_NS, PEER, "")
    CODEC.bulk_items(outcomes, 1, 0)
    return decoded.accepted


DOORS: dict[str, tuple[Encode, Decode]] = {
    "ndjson": (ndjson, lambda body: CODEC.decode_json(body, NOW_NS, PEER).accepted),
    "otlp_protobuf": (otlp, lambda body: CODEC.decode_otlp(body, NOW_NS, PEER).accepted),
    "otlp_json": (otlp_json, lambda body: CODEC.decode_otlp_json(body, NOW_NS, PEER).accepted),
    "bulk": (bulk, _bulk_with_items),
    "loki_protobuf": (loki, lambda body: CODEC.decode_loki(body, NOW_NS, PEER).accepted),
    "loki_json": (loki_json, lambda body: CODEC.decode_loki_json(body, NOW_NS, PEER).accepted),
}


def rates(entries: list[Entry]) -> dict[str, dict[str, float]]:
    """Return entries per second of each door, the bytes of an entry there, and the ratio to NDJSON.

    The doors take turns, so that what else the machine does falls on all of them alike.
    """
    batches = [entries[at : at + BATCH_ENTRIES] for at in range(0, len(entries), BATCH_ENTRIES)]
    bodies = {name: [encode(batch) for batch in batches] for name, (encode, _) in DOORS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in DOORS}
    for _ in range(RUNS):
        for name, (_, decode) in DOORS.items():
            start = time.perf_counter()
            accepted = sum(map(decode, bodies[name]))
            seconds[name].append(time.perf_counter() - start)
            if accepted != len(entries):
                raise ValueError(f"{name} does not accept every entry")
    best = {name: len(entries) / min(taken) for name, taken in seconds.items()}
    return {
        name: {
            "best": round(best[name]),
            "median": round(len(entries) / statistics.median(taken)),
            "bytes_mean": round(sum(map(len, bodies[name])) / len(entries), 1),
            "to_ndjson": round(best[name] / best["ndjson"], 2),
        }
        for name, taken in seconds.items()
    }


def log_batch(entries: list[Entry]) -> bytes:
    """Return a LogBatch, as ``zero send --protobuf`` makes it."""
    return CODEC.decode_json(ndjson(entries), NOW_NS, PEER).payload


def _http(name: str, bodies: list[bytes], path: str = "/api/logs", content_type: str = PROTOBUF) -> Door:
    return Door(name, Load(bodies, BATCH_ENTRIES, CONNECTIONS, content_type, path))


def _grpc(name: str, messages: list[bytes], method: str) -> Door:
    path, entries = f"/zero.v1.LogService/{method}", len(messages) * BATCH_ENTRIES
    load = Load([stream_of(messages)], entries, GRPC_CONNECTIONS, "application/grpc", path, {"te": "trailers"})
    return Door(name, load, grpc=True)


def doors(entries: list[Entry]) -> list[Door]:
    """Return every door with the same entries in its own words, NDJSON first."""
    batches = [entries[at : at + BATCH_ENTRIES] for at in range(0, len(entries), BATCH_ENTRIES)]
    log_batches = [log_batch(batch) for batch in batches]
    snappy = [bytes(cramjam.snappy.compress_raw(loki(batch))) for batch in batches]
    return [
        _http("ndjson", [ndjson(batch) for batch in batches], content_type=NDJSON),
        _http("log_batch", log_batches),
        _http("otlp_protobuf", [otlp(batch) for batch in batches], "/v1/logs"),
        _http("bulk", [bulk(batch) for batch in batches], "/_bulk", NDJSON),
        _http("loki_snappy", snappy, "/loki/api/v1/push"),
        _grpc("grpc_stream", log_batches[:STREAM_BATCHES], "IngestStream"),
        _grpc("grpc_unary", log_batches[:1], "IngestLogs"),
    ]


def run(path: Path | None, seconds: int, runs: int) -> Path:
    """Measure, and write bench/results/doors.json."""
    lines = corpus.lines(path, ENTRIES)
    entries = [json.loads(line) for line in lines]
    figures = {
        "corpus": corpus.describe(path, lines),
        "decode_entries_per_second": rates(entries),
        "end_to_end": end_to_end(doors(entries[: LOAD_BATCHES * BATCH_ENTRIES]), seconds, runs),
        "keys": cost_of_keys(lines[:SINGLES], seconds, runs),
    }
    return record.write("doors", figures)
