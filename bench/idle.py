"""What an idle platform takes: ``zero up`` with every default on, twenty seconds after its start and for a minute.

Memory in all is the sum of proportional set sizes, which counts a page that processes share once; the sum of resident sizes
stands beside it. Processor time is told of the whole machine and of one core.
"""

import statistics
import time
from pathlib import Path
from typing import Any

from bench.processes import by_role, cpu_seconds, family, role_of, used_since
from bench.record import surroundings, write
from bench.running import free_port, platform

SETTLE_SECONDS = 20
SAMPLE_SECONDS = 5
TARGETS = {"memory_mib": 600, "cpu_percent": 1.0}


def memory_mib(root: int, field: str) -> dict[str, float]:
    """Return a field of ``smaps_rollup`` for each process of the family: ``Rss``, or ``Pss``, where shared pages count once."""
    found = {}
    for pid, command in family(root).items():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has ended
        found[f"{role_of(command)}-{pid}"] = next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
    return found


def run(seconds: int) -> str:
    """Measure, write the result, and return it as text."""
    with platform(ZERO_INGEST_GRPC=f"127.0.0.1:{free_port()}") as running:
        root = running.process.pid
        time.sleep(SETTLE_SECONDS)
        started, before = time.monotonic(), cpu_seconds(root)
        rss, pss = [], []
        while time.monotonic() - started < seconds:
            time.sleep(SAMPLE_SECONDS)
            rss.append(by_role(memory_mib(root, "Rss")))
            pss.append(by_role(memory_mib(root, "Pss")))
        elapsed = time.monotonic() - started
        used = by_role(used_since(before, cpu_seconds(root)))
    cores = surroundings()["machine"]["cores"]
    figures: dict[str, Any] = {
        "seconds": round(elapsed, 1),
        "targets": TARGETS,
        "memory_mib": round(max(sum(sample.values()) for sample in pss), 1),
        "rss_mib": round(max(sum(sample.values()) for sample in rss), 1),
        "cpu_percent_of_one_core": round(sum(used.values()) / elapsed * 100, 2),
        "cpu_percent": round(sum(used.values()) / elapsed * 100 / cores, 2),
        "by_role": {
            role: {
                "rss_mib": round(statistics.median(sample.get(role, 0.0) for sample in rss), 1),
                "pss_mib": round(statistics.median(sample.get(role, 0.0) for sample in pss), 1),
                "cpu_percent_of_one_core": round(used.get(role, 0.0) / elapsed * 100, 2),
            }
            for role in sorted(rss[-1])
        },
    }
    path = write("idle", figures)
    lines = [
        f"idle zero up: {figures['memory_mib']} MiB in all (PSS; target {TARGETS['memory_mib']}; RSS {figures['rss_mib']}), "
        f"CPU {figures['cpu_percent']} % of {cores} cores (target {TARGETS['cpu_percent']:g})"
    ]
    for role, one in figures["by_role"].items():
        lines.append(f"  {role:<12} RSS {one['rss_mib']:>6} PSS {one['pss_mib']:>6} CPU {one['cpu_percent_of_one_core']:>5} %")
    return "\n".join([*lines, f"written to {path}"])
