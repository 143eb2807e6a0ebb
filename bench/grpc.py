"""``zero bench grpc``: ``LogBatch`` over gRPC, unary and streamed, by a generator of our own in a process of its own.

The generator is Python and on the same cores, and takes the larger part of them: what is measured is a lower bound.
"""

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench import corpus, record
from bench.batches import lines_of, load_of
from bench.load import PERCENTILES, PROTOBUF, Load, Sent, percentile
from bench.measure import Plan, case, say
from bench.running import free_port, platform

CASES = (
    ("single entries, 64 calls", 1, 64, 0),
    ("batches of 100, 16 calls", 100, 16, 0),
    ("batches of 1000, 8 calls", 1000, 8, 0),
    ("batches of 1000, 4 streams of 20 batches", 1000, 4, 20),
)


def generate(url: str, load: Load, seconds: float, address: str, stream: int) -> Sent:
    """Run the generator against the address; ``url`` is not asked."""
    del url
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        bodies.write_bytes(b"".join(b"%d\n%b\n" % (len(body), body) for body in load.bodies))
        command = [sys.executable, "-m", "bench.grpc_load", address, str(bodies), "--calls", str(load.connections)]
        options = ["--seconds", str(seconds), "--stream", str(stream)]
        answer = subprocess.run([*command, *options], cwd=record.ROOT, capture_output=True, text=True, timeout=seconds + 120)
    if answer.returncode:
        raise RuntimeError(f"the gRPC generator ended with {answer.returncode}:\n{answer.stderr[-4000:]}")
    found = json.loads(answer.stdout)
    micros = sorted(found["micros"])
    latency = {name: percentile(micros, share) / 1e3 for name, share in PERCENTILES.items()}
    return Sent(len(micros), found["refused"], 0, found["seconds"], latency)


def run(path: Path | None, plan: Plan) -> Path:
    """Measure, and write bench/results/grpc.json."""
    lines = lines_of(path)
    address = f"127.0.0.1:{free_port()}"
    cases = []
    with platform(ZERO_INGEST_GRPC=address) as running:
        for name, entries, calls, stream in CASES:
            say(f"grpc: {name}")
            send = partial(generate, address=address, stream=stream)
            cases.append(case(running, name, load_of(lines, entries, calls, PROTOBUF), plan, send))
    return record.write("grpc", {"corpus": corpus.describe(path, lines), "cases": cases})
