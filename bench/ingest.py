"""``zero bench ingest``: entries over HTTP into a running platform, counted when stored and searchable."""

import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import corpus, record
from bench.processes import cpu_seconds, peak_memory_mib, used_since
from bench.running import Platform, platform

BATCH_ENTRIES = 1000
BATCHES = 64
SETTLE_SECONDS_MAX = 600
POLL_SECONDS = 0.25  # each look counts the rows of the store, which costs the drain time

# Each wrk thread walks the bodies from a start of its own. No response callback: it would cost the generator much of its rate.
SCRIPT = """
local bodies = {}
local at = 0
function init()
  for line in io.lines("%(index)s") do
    local file = io.open(line, "rb")
    local headers = {%(headers)s, ["Host"] = wrk.headers["Host"]}
    bodies[#bodies + 1] = wrk.format("POST", "%(path)s", headers, file:read("*a"))
    file:close()
  end
  math.randomseed(os.time())
  at = math.random(#bodies)
end
function request() at = at %% #bodies + 1 return bodies[at] end
function done(summary, latency)
  local errors = summary.errors
  print(string.format("RESULT accepted=%%d refused=%%d micros=%%d p50=%%d p99=%%d p999=%%d errors=%%d",
    summary.requests - errors.status, errors.status, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Target:
    """Where bodies go, and what their headers say."""

    path: str = "/api/logs"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-ndjson"),)


def load(url: str, bodies: list[bytes], connections: int, seconds: int, target: Target = Target()) -> dict[str, float]:
    """Send the bodies round and round with wrk; return its counts, seconds and latencies (ms)."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is missing: apt-get install wrk (or brew install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, body in enumerate(bodies):
            path = Path(folder) / f"{number}.body"
            path.write_bytes(body)
            paths.append(str(path))
        index, script = Path(folder) / "index", Path(folder) / "load.lua"
        index.write_text("\n".join(paths) + "\n")
        headers = ", ".join(f'["{name}"] = "{value}"' for name, value in target.headers)
        script.write_text(SCRIPT % {"index": index, "path": target.path, "headers": headers})
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=True)
    found = re.search(r"RESULT (.*)", answer.stdout)
    if found is None:
        raise RuntimeError(f"wrk gave no result:\n{answer.stdout}{answer.stderr}")
    numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", found[1])}
    return {
        "requests_accepted": numbers["accepted"],
        "requests_refused": numbers["refused"],
        "connection_errors": numbers["errors"],
        "seconds": numbers["micros"] / 1e6,
        **{f"{name}_ms": numbers[name] / 1e3 for name in ("p50", "p99", "p999")},
    }


def settle(running: Platform) -> dict[str, Any]:
    """Wait until the buffer is empty and every stored entry can be counted; return the ledger."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        ledger: dict[str, Any] = running.get("/api/ledger")
        if (ledger["in_buffer"] == 0 and not ledger["missing"]) or time.monotonic() > deadline:
            return ledger
        time.sleep(POLL_SECONDS)


def run_case(name: str, bodies: list[bytes], entries_each: int, connections: int, seconds: int) -> dict[str, Any]:
    """Measure one load on a fresh platform."""
    with platform() as running:
        load(running.ingest_url, bodies, connections, 2)
        before = settle(running)
        began, cpu_before = time.monotonic(), cpu_seconds(running.process.pid)
        sent = load(running.ingest_url, bodies, connections, seconds)
        offered_until = time.monotonic()
        ledger = settle(running)
        stored_until = time.monotonic()
        cpu = used_since(cpu_before, cpu_seconds(running.process.pid))
        accepted = ledger["accepted"] - before["accepted"]
        stored = ledger["rows"] - before["rows"]
        return {
            "case": name,
            "connections": connections,
            **sent,
            "requests_per_second": round(sent["requests_accepted"] / sent["seconds"]),
            "entries_acknowledged": int(sent["requests_accepted"]) * entries_each,
            "entries_accepted": accepted,
            "entries_stored": stored,
            "entries_lost": accepted - stored,
            "entries_per_second_stored": round(stored / (stored_until - began)),
            "seconds_until_stored": round(stored_until - offered_until, 2),
            "cpu_seconds": cpu,
            "peak_memory_mib": peak_memory_mib(running.process.pid),
        }


def run(path: Path | None, seconds: int) -> Path:
    """Run all cases and write ``bench/results/ingest.json``."""
    sample = corpus.lines(path, BATCH_ENTRIES * BATCHES)
    batches = [b"\n".join(sample[at : at + BATCH_ENTRIES]) for at in range(0, len(sample), BATCH_ENTRIES)]
    singles = sample[:2000]
    cases = [
        run_case("batches of 1000 NDJSON", batches, BATCH_ENTRIES, 16, seconds),
        run_case("single entries, 64 connections", singles, 1, 64, max(10, seconds // 4)),
        run_case("single entries, 256 connections", singles, 1, 256, max(10, seconds // 4)),
    ]
    return record.write("ingest", {"corpus": corpus.describe(path, sample), "cases": cases})
