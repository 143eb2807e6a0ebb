"""``zero bench peer``: the same entries into any server that takes one of the usual protocols, by the same load.

    zero bench peer http://127.0.0.1:9428 --protocol jsonline     # VictoriaLogs
    zero bench peer http://127.0.0.1:9200 --protocol bulk         # Elasticsearch, OpenSearch, Quickwit, OpenObserve, zero
    zero bench peer http://127.0.0.1:3100 --protocol loki         # Loki, zero
    zero bench peer http://127.0.0.1:4318 --protocol otlp         # an OpenTelemetry collector, zero

What is counted is what the server accepted: whether and how safely it stores, ask the server.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cramjam

from bench import corpus, doors, record
from bench.batches import lines_of
from bench.load import Load, wrk
from bench.measure import say, spread

BODIES = 64
SINGLES = 1000
CONNECTIONS = {1: 64, 1000: 16}


@dataclass(frozen=True)
class Protocol:
    """How entries are put into a body, and where that is sent."""

    path: str
    content_type: str
    encode: doors.Encode
    headers: dict[str, str] = field(default_factory=dict)


def _jsonline(entries: list[doors.Entry]) -> bytes:
    """Return lines with one field a name, as VictoriaLogs wants them: no nesting, ``_msg`` and ``_time`` as asked for."""
    flat = ({key: value for key, value in entry.items() if key != "metadata"} | entry.get("metadata", {}) for entry in entries)
    return b"\n".join(json.dumps(each, separators=(",", ":")).encode() for each in flat)


def _loki(entries: list[doors.Entry]) -> bytes:
    return bytes(cramjam.snappy.compress_raw(doors.loki(entries)))


PROTOCOLS = {
    "jsonline": Protocol(
        "/insert/jsonline?_msg_field=message&_time_field=timestamp&_stream_fields=app_id,source,environment",
        "application/stream+json",
        _jsonline,
    ),
    "bulk": Protocol("/_bulk", "application/x-ndjson", doors.bulk),
    "loki": Protocol("/loki/api/v1/push", "application/x-protobuf", _loki),
    "otlp": Protocol("/v1/logs", "application/x-protobuf", doors.otlp),
}


@dataclass(frozen=True)
class Options:
    """Where to, how, and for how long. ``path`` replaces the usual path of the protocol."""

    url: str
    protocol: str
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 10
    runs: int = 3


def loads(lines: list[bytes], options: Options) -> list[Load]:
    """Return the load of single entries and that of batches of 1,000."""
    chosen = PROTOCOLS[options.protocol]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entries = [{"timestamp": now, **json.loads(line)} for line in lines]
    address = urlsplit(options.url)
    path = options.path or address.path.rstrip("/") + chosen.path
    headers = {**chosen.headers, **options.headers}
    if address.username:
        secret = f"{address.username}:{address.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
    found = []
    for count, connections in CONNECTIONS.items():
        number = SINGLES if count == 1 else BODIES
        groups = [entries[at : at + count] for at in range(0, min(len(entries), number * count), count)]
        bodies = [chosen.encode(group) for group in groups]
        found.append(Load(bodies, count, connections, chosen.content_type, path, headers))
    return found


def measure(chosen: list[Load], options: Options, warm_seconds: float = 1) -> list[dict[str, Any]]:
    """Send the loads, and return what was accepted of each."""
    address = urlsplit(options.url)
    root = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    cases = []
    for load in chosen:
        say(f"peer: {options.protocol}, requests of {load.entries} to {root}{load.path}")
        if warm_seconds:
            wrk(root, load, warm_seconds)
        sent = [wrk(root, load, options.seconds) for _ in range(options.runs)]
        cases.append(
            {
                "case": f"requests of {load.entries}",
                "entries_a_request": load.entries,
                "connections": load.connections,
                "bytes_an_entry": round(sum(map(len, load.bodies)) / len(load.bodies) / load.entries, 1),
                "requests_per_second": spread([each.per_second for each in sent]),
                "entries_per_second_accepted": spread([each.per_second * load.entries for each in sent]),
                "latency": {key: spread([each.latency[key] for each in sent], 3) for key in sent[0].latency},
                "requests_refused": sum(each.refused for each in sent),
                "connection_errors": sum(each.errors for each in sent),
            }
        )
    return cases


def run(path: Path | None, options: Options) -> Path:
    """Measure, and write bench/results/peer-PROTOCOL.json."""
    lines = lines_of(path)
    about = {"corpus": corpus.describe(path, lines), "protocol": options.protocol}
    return record.write(f"peer-{options.protocol}", {**about, "cases": measure(loads(lines, options), options)})
