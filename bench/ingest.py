"""``zero bench ingest``: entries over HTTP into a running platform, counted when stored and searchable."""

from pathlib import Path

from bench import corpus, record
from bench.batches import lines_of, load_of
from bench.load import NDJSON, PROTOBUF
from bench.measure import Plan, case, say
from bench.running import platform

CASES = (
    ("batches of 1000 NDJSON", 1000, 16, NDJSON),
    ("batches of 1000 LogBatch", 1000, 16, PROTOBUF),
    ("single entries, 64 connections", 1, 64, NDJSON),
    ("single entries, 256 connections", 1, 256, NDJSON),
)
BUFFER_BYTES = 2 << 30  # a minute of load may run ahead of the drain


def run(path: Path | None, plan: Plan) -> Path:
    """Run each case on a platform of its own, and write ``bench/results/ingest.json``."""
    lines = lines_of(path)
    cases = []
    for name, entries, connections, content_type in CASES:
        say(f"ingest: {name}")
        with platform(ZERO_BUFFER_MEMORY_MAX_BYTES=str(BUFFER_BYTES)) as running:
            cases.append(case(running, name, load_of(lines, entries, connections, content_type), plan))
    return record.write("ingest", {"corpus": corpus.describe(path, lines), "cases": cases})
