"""``zero bench http2``: single entries over HTTP/2, eight connections with twenty streams each, by h2load."""

from functools import partial
from pathlib import Path

from bench import corpus, record
from bench.batches import lines_of, load_of
from bench.load import NDJSON, PROTOBUF, h2load
from bench.measure import Plan, case, say
from bench.running import platform

CONNECTIONS, STREAMS = 8, 20
CASES = (("single entries", 1, NDJSON), ("batches of 100 LogBatch", 100, PROTOBUF))


def run(path: Path | None, plan: Plan) -> Path:
    """Measure, and write bench/results/http2.json. Each request of a case has the same body: h2load knows only one."""
    lines = lines_of(path)
    cases = []
    with platform() as running:
        for name, entries, content_type in CASES:
            say(f"http2: {name}")
            title = f"{name}, {CONNECTIONS} connections x {STREAMS} streams"
            load = load_of(lines, entries, CONNECTIONS, content_type)
            cases.append(case(running, title, load, plan, partial(h2load, streams=STREAMS)))
    return record.write("http2", {"corpus": corpus.describe(path, lines), "streams": STREAMS, "cases": cases})
