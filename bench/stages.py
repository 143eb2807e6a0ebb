"""``zero bench stage N``: the seven stages of the platform's history, each a setting of the platform itself."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import corpus, profile, record
from bench.batches import lines_of, load_of
from bench.history import STAGES, Stage
from bench.load import Load, wrk
from bench.measure import Plan, case, counts, rest, say
from bench.processes import by_role, cpu_seconds, family, role_of, used_since
from bench.running import Platform, platform

CONNECTIONS = {1: 64, 10: 64, 100: 16, 500: 4, 1000: 4}
"""Entries a request → connections: what keeps every stage busy, and still lets the slowest answer within a run."""
CRASH_ENTRIES, CRASH_SECONDS = 10, 3
PYTHON_ROLES = ("ingest", "drain", "clickhouse")


@dataclass(frozen=True)
class Options:
    """``batches`` are the entries of a request. ``profile_seconds`` of 0 takes none; ``crashes``: kill ingest under load."""

    batches: tuple[int, ...] = tuple(CONNECTIONS)
    plan: Plan = field(default_factory=lambda: Plan(runs=3, seconds=2, warm_seconds=0, rest_seconds_max=20))
    profile_seconds: float = 2
    crashes: bool = True
    warm_seconds: float = 1


def run_stage(stage: Stage, lines: list[bytes], options: Options) -> dict[str, Any]:
    """Measure one stage on a platform of its own, and return its figures."""
    loads = [load_of(lines, entries, CONNECTIONS.get(entries, 16), stage.content_type) for entries in options.batches]
    forgets = stage.pipeline == "fire-and-forget"
    plan = replace(options.plan, rest_seconds_max=min(5, options.plan.rest_seconds_max)) if forgets else options.plan
    with platform(ZERO_PIPELINE=stage.pipeline) as running:
        if options.warm_seconds:
            wrk(running.ingest_url, loads[0], options.warm_seconds)
        cases = []
        for load in loads:
            say(f"stage {stage.number} ({stage.name}): requests of {load.entries}")
            with _ending(running, forgets) as ended:
                cases.append(case(running, f"requests of {load.entries}", load, plan))
            cases[-1].update(ended)
        profiles = {}
        for load in (loads[0], loads[-1]) if options.profile_seconds else ():
            say(f"stage {stage.number} ({stage.name}): a profile with requests of {load.entries}")
            profiles[f"requests of {load.entries}"] = _profiled(running, load, options.profile_seconds)
            if forgets:
                running.crash("ingest")
        crash_load = load_of(lines, CRASH_ENTRIES, 64, stage.content_type)
        crashed = _crash(running, crash_load, options.plan.rest_seconds_max) if options.crashes else {}
    return {
        "stage": stage.number,
        "name": stage.name,
        "pipeline": stage.pipeline,
        "content_type": stage.content_type,
        "changes": stage.changes,
        "bottleneck": stage.bottleneck,
        "cases": cases,
        "crash": crashed,
        "profiles": profiles,
    }


@contextmanager
def _ending(running: Platform, forgets: bool) -> Iterator[dict[str, Any]]:
    """Account for a stage that never comes to rest: what its process still holds is lost when it ends, so it ends here."""
    found: dict[str, Any] = {}
    before = counts(running)
    yield found
    if forgets:
        accepted = counts(running).accepted - before.accepted
        running.crash("ingest")
        after, _ = rest(running, 3)
        stored = after.rows - before.rows
        found.update({"entries_accepted": accepted, "entries_stored": stored, "entries_lost": max(0, accepted - stored)})


def _crash(running: Platform, load: Load, rest_seconds_max: float) -> dict[str, Any]:
    """Kill the ingest processes under load, and count what was acknowledged and is not there."""
    before, _ = rest(running, rest_seconds_max)
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + CRASH_SECONDS
        while counts(running).accepted == before.accepted:
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)
        killed.append(running.crash("ingest"))

    killer = threading.Thread(target=kill)
    killer.start()
    sent = wrk(running.ingest_url, load, CRASH_SECONDS)
    killer.join()
    after, _ = rest(running, rest_seconds_max)
    acknowledged, stored = sent.accepted * load.entries, after.rows - before.rows
    accepted = max(acknowledged, after.accepted - before.accepted)
    return {
        "processes_killed": sum(killed),
        "entries_acknowledged": acknowledged,
        "entries_accepted": accepted,
        "entries_stored": stored,
        "entries_lost": max(0, accepted - stored),
    }


def _profiled(running: Platform, load: Load, seconds: float) -> dict[str, Any]:
    """Load once more, and return what each role used of a core, and where the busiest Python process spent its time."""
    before, began = cpu_seconds(running.process.pid), time.monotonic()
    sender = threading.Thread(target=wrk, args=(running.ingest_url, load, seconds + 1))
    sender.start()
    time.sleep(0.5)
    busiest = _busiest(running, before)
    with profile.sampled(busiest, seconds) as found:
        pass
    sender.join()
    elapsed = time.monotonic() - began
    cores = by_role(used_since(before, cpu_seconds(running.process.pid)))
    role = role_of(family(running.process.pid).get(busiest, ""))
    return {"cores_busy": {name: round(used / elapsed, 2) for name, used in cores.items() if used}, "of": role, **found}


def _busiest(running: Platform, before: dict[str, float]) -> int:
    """Return the Python process that used most since ``before``."""
    used = used_since(before, cpu_seconds(running.process.pid))
    candidates = {name: seconds for name, seconds in used.items() if name.rpartition("-")[0] in PYTHON_ROLES}
    return int(max(candidates, key=lambda name: candidates[name]).rpartition("-")[2])


def run(path: Path | None, number: int, options: Options | None = None) -> Path:
    """Measure one stage, and write bench/results/stage-N.json."""
    stage, lines = STAGES[number - 1], lines_of(path)
    figures = run_stage(stage, lines, options or Options())
    return record.write(f"stage-{number}", {"corpus": corpus.describe(path, lines), **figures})
