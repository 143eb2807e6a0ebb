"""``zero bench grpc``: ``LogBatch`` over gRPC, unary and streamed.

Twice: by a client of our own, which looks at every answer, but is Python on the same cores and takes the larger part of them;
and by h2load, which costs little, repeats one message, and knows HTTP statuses only: what was stored is counted anyway.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import corpus, record
from bench.batches import lines_of, load_of
from bench.load import PERCENTILES, PROTOBUF, Load, Sent, h2load, percentile
from bench.measure import Plan, case, say
from bench.running import free_port, platform

CASES = (
    ("single entries, 64 calls", 1, 64, 0),
    ("batches of 1000, 8 calls", 1000, 8, 0),
    ("batches of 1000, 4 streams of 20 batches", 1000, 4, 20),
)
METHOD = "/zero.v1.LogService/IngestLogs"
H2LOAD_CASES = (
    ("single entries, 8 connections x 20 calls, by h2load", 1, 8, 20),
    ("batches of 1000, 4 connections x 2 calls, by h2load", 1000, 4, 2),
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


def by_h2load(url: str, load: Load, seconds: float, address: str, calls: int) -> Sent:
    """Send the first body as the one message of a unary call, again and again; ``url`` is not asked."""
    del url
    message = b"\0" + len(load.bodies[0]).to_bytes(4, "big") + load.bodies[0]
    framed = replace(load, bodies=[message], path=METHOD, content_type="application/grpc", headers={"te": "trailers"})
    return h2load(f"http://{address}", framed, seconds, calls)


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
        for name, entries, connections, calls in H2LOAD_CASES:
            say(f"grpc: {name}")
            send = partial(by_h2load, address=address, calls=calls)
            cases.append(case(running, name, load_of(lines, entries, connections, PROTOBUF), plan, send))
    return record.write("grpc", {"corpus": corpus.describe(path, lines), "cases": cases})
