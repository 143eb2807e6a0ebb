"""One case: warm up, load several times, wait until everything is stored, and account for every entry."""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.load import Load, Sent, wrk
from bench.processes import by_role, cpu_seconds, peak_memory_mib, used_since
from bench.running import Platform

POLL_SECONDS = 0.1  # each look counts the rows of the store, which costs the drain time
STILL_SECONDS = 1.0

Send = Callable[[str, Load, float], Sent]


@dataclass(frozen=True)
class Plan:
    """How long and how often a case is loaded. ``rest_seconds_max`` bounds the wait until all is stored."""

    runs: int = 3
    seconds: float = 8
    warm_seconds: float = 2
    rest_seconds_max: float = 300


@dataclass(frozen=True)
class Counts:
    """Entries that the ingest processes have accepted and the store holds; ``in_buffer`` is on the way."""

    accepted: int
    rows: int
    in_buffer: int


def say(text: str) -> None:
    """Tell who waits what is being done."""
    print(text, file=sys.stderr, flush=True)


def counts(running: Platform) -> Counts:
    """Look: what ingest counted, and the rows of the store."""
    ledger = running.get("/api/ledger")
    accepted = sum(
        float(line.rpartition(" ")[2])
        for line in running.metrics().splitlines()
        if line.startswith("zero_ingest_flush_entries_total")
    )
    return Counts(round(accepted), ledger["rows"], ledger["in_buffer"])


def rest(running: Platform, seconds_max: float) -> tuple[Counts, float]:
    """Wait until the buffer is empty and no more rows come; return the counts, and when the last row was seen first."""
    deadline = time.monotonic() + seconds_max
    last = counts(running)
    changed = time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        now = counts(running)
        if now != last:
            last, changed = now, time.monotonic()
        elif now.in_buffer == 0 and (now.rows >= now.accepted or time.monotonic() - changed > STILL_SECONDS):
            break
    return last, changed


def spread(values: list[float], digits: int = 0) -> dict[str, float]:
    """Return median, least and most of repeated runs."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) if digits else round(value) for name, value in figures.items()}


def case(running: Platform, name: str, load: Load, plan: Plan, send: Send = wrk) -> dict[str, Any]:
    """Measure one load on a running platform, and return its figures."""
    root = running.process.pid
    if plan.warm_seconds:
        send(running.ingest_url, load, plan.warm_seconds)
    before, _ = rest(running, plan.rest_seconds_max)
    cpu_before, began, last = cpu_seconds(root), time.monotonic(), before
    sent, stored_rates = [], []
    for _ in range(plan.runs):
        sent.append(send(running.ingest_url, load, plan.seconds))
        run_began = time.monotonic() - sent[-1].seconds - sent[-1].warm_seconds
        after, until = rest(running, plan.rest_seconds_max)
        stored_rates.append((after.rows - last.rows) / (until - run_began))
        last = after
    elapsed = time.monotonic() - began
    acknowledged = sum(each.accepted for each in sent) * load.entries
    accepted = max(acknowledged, last.accepted - before.accepted)
    stored = last.rows - before.rows
    return {
        "case": name,
        "entries_a_request": load.entries,
        "connections": load.connections,
        "requests_per_second": spread([each.per_second for each in sent]),
        "entries_per_second_accepted": spread([each.per_second * load.entries for each in sent]),
        "entries_per_second_stored": spread(stored_rates),
        "latency": {key: spread([each.latency[key] for each in sent], 3) for key in sent[0].latency},
        "entries_acknowledged": acknowledged,
        "entries_accepted": accepted,
        "entries_stored": stored,
        "entries_lost": max(0, accepted - stored),
        "requests_refused": sum(each.refused for each in sent),
        "connection_errors": sum(each.errors for each in sent),
        "cpu_seconds": (used := used_since(cpu_before, cpu_seconds(root))),
        "cores_busy": {role: round(seconds / elapsed, 2) for role, seconds in by_role(used).items()},
        "peak_memory_mib": peak_memory_mib(root),
        "runs": [each.figures() for each in sent],
    }
