"""``zero bench``: every benchmark one after the other, then the report: 21 minutes on two cores when last run; 15 wanted."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import doors, drain, grpc, http2, idle, ingest, native, report, search, serialize, stages
from bench.history import STAGES
from bench.measure import Plan, say

INGEST = Plan(runs=3, seconds=8)
OTHER_DOORS = Plan(runs=3, seconds=2, warm_seconds=1)
DOOR_SECONDS, DOOR_RUNS = 1, 1
SEARCHED = 3_000_000
IDLE_SECONDS = 30


def parts(path: Path | None) -> dict[str, Callable[[], object]]:
    """Return what is run, in order, by name."""
    found: dict[str, Callable[[], object]] = {
        "native": lambda: native.run(path),
        "serialize": lambda: serialize.run(path),
        "doors": lambda: doors.run(path, DOOR_SECONDS, DOOR_RUNS),
    }
    for stage in STAGES:
        found[f"stage {stage.number}"] = partial(stages.run, path, stage.number)
    found |= {
        "ingest": lambda: ingest.run(path, INGEST),
        "http2": lambda: http2.run(path, OTHER_DOORS),
        "grpc": lambda: grpc.run(path, OTHER_DOORS),
        "drain": lambda: drain.run(path, drain.Options(profile=True)),
        "search": lambda: search.run(path, SEARCHED),
        "idle": lambda: idle.run(IDLE_SECONDS),
    }
    return found


def run(path: Path | None) -> str:
    """Measure everything, write the report, and return its tables."""
    began = time.monotonic()
    for name, measure in parts(path).items():
        start = time.monotonic()
        measure()
        say(f"{name}: done in {time.monotonic() - start:.0f} s")
    report.run()
    say(f"everything: {(time.monotonic() - began) / 60:.1f} minutes")
    return report.table()
