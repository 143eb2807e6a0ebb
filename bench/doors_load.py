"""Batches through one door after the other into a running platform, and single entries with and without keys.

Doors take turns, so that what else the machine does falls on all alike. Each has two turns a run: *held*, while the drain
stands still, so that the rate is that of door and buffer, as it is where these have cores of their own; and *together*, with
drain and store on the same cores. Every entry counts only if the store has it in the end.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, h2load, wrk
from bench.processes import cpu_seconds, family, role_of, used_since
from bench.running import Platform, free_port, platform

CONNECTIONS = 16
GRPC_CONNECTIONS, GRPC_STREAMS = 4, 2
SINGLE_CONNECTIONS = 64
PAUSE_SECONDS = 0.5
SETTLE_SECONDS_MAX = 600
BUFFER_BYTES = 4 << 30  # what is sent while the drain stands still
QUOTAS = ("--requests-per-second", "10000000", "--bytes-per-second", "100000000000", "--in-flight", "100000")

TURNS_MAX = 4

Figures = dict[str, float]


class RefusedError(RuntimeError):
    """Requests were refused that should not be."""


@dataclass(frozen=True)
class Door:
    """A door, and what it is sent. Of ``grpc`` the one body is all that a client sends on a stream."""

    name: str
    load: Load
    grpc: bool = False


def stream_of(messages: list[bytes]) -> bytes:
    """Return the messages as gRPC frames them."""
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


def end_to_end(doors: list[Door], seconds: int, runs: int) -> dict[str, Any]:
    """Return the figures of every door, with their ratio to those of the first."""
    grpc = f"127.0.0.1:{free_port()}"
    turns: dict[str, dict[str, list[Figures]]] = {door.name: {"held": [], "together": []} for door in doors}
    with platform(ZERO_INGEST_GRPC=grpc, ZERO_BUFFER_MEMORY_MAX_BYTES=str(BUFFER_BYTES)) as running:
        for door in doors:  # what is imported and allocated once
            _turn(running, grpc, door, 1, held=False)
        for _ in range(runs):
            for door in doors:
                for mode, found in turns[door.name].items():
                    found.append(_turn(running, grpc, door, seconds, held=mode == "held"))
    medians = {name: {mode: _median(found) for mode, found in modes.items()} for name, modes in turns.items()}
    base = medians[doors[0].name]
    for name, modes in medians.items():
        for mode, figures in modes.items():
            figures["to_ndjson"] = round(figures["accepted_per_second"] / base[mode]["accepted_per_second"], 2)
            of_base, own = _least_cpu(turns[doors[0].name][mode]), _least_cpu(turns[name][mode])
            figures["per_ingest_core_to_ndjson"] = round(of_base / own, 2)
        modes["together"]["stored_to_ndjson"] = round(
            modes["together"]["stored_per_second"] / base["together"]["stored_per_second"], 2
        )
    return {"runs": runs, "seconds": seconds, "doors": medians}


def _median(found: list[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in found), 3) for name in found[0]}


def _least_cpu(found: list[Figures]) -> float:
    """Return the processor time of an entry in the turn disturbed least: where others wait, flushes are small, and so dear."""
    return min(each["ingest_cpu_us"] for each in found)


def _turn(running: Platform, grpc: str, door: Door, seconds: int, *, held: bool) -> Figures:
    """Load one door; wait until everything is stored."""
    root, before = running.process.pid, _settled(running)
    with _drain_held(running, held):
        cpu, began = cpu_seconds(root), time.monotonic()
        if door.grpc:
            _grpc_load(grpc, door, seconds)
        else:
            wrk(running.ingest_url, door.load, seconds)
        lasted = time.monotonic() - began
        used = used_since(cpu, cpu_seconds(root))
        accepted = running.get("/api/ledger")["accepted"] - before["accepted"]
    after = _settled(running)
    stored = after["rows"] - before["rows"]
    if stored != after["accepted"] - before["accepted"]:
        raise RuntimeError(f"{door.name}: {after['accepted'] - before['accepted']} accepted, {stored} stored")
    by_role = {role: sum(spent for name, spent in used.items() if name.startswith(role)) for role in ("ingest", "valkey")}
    return {
        "accepted_per_second": accepted / lasted,
        "stored_per_second": stored / (time.monotonic() - began),
        "ingest_cpu_us": by_role["ingest"] / accepted * 1e6,
        "buffer_cpu_us": by_role["valkey"] / accepted * 1e6,
    }


@contextmanager
def _drain_held(running: Platform, held: bool) -> Iterator[None]:
    """Let the drain stand still for the time of the block."""
    drains = [pid for pid, command in family(running.process.pid).items() if role_of(command) == "drain"] if held else []
    for pid in drains:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in drains:
            os.kill(pid, signal.SIGCONT)


def _settled(running: Platform, key: str = "") -> dict[str, Any]:
    """Wait until the buffer is empty and the store has everything; return the ledger."""
    request = urllib.request.Request(f"{running.api_url}/api/ledger", headers={"X-API-Key": key} if key else {})
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        with urllib.request.urlopen(request, timeout=30) as answer:
            ledger: dict[str, Any] = json.load(answer)
        if (ledger["in_buffer"] == 0 and not ledger["missing"]) or time.monotonic() > deadline:
            return ledger
        time.sleep(PAUSE_SECONDS)


def _grpc_load(address: str, door: Door, seconds: int) -> None:
    """Send the stream again and again with h2load, which costs as little as wrk does."""
    sent = h2load(f"http://{address}", door.load, seconds, GRPC_STREAMS)
    if not sent.accepted or sent.refused or sent.errors:
        raise RuntimeError(f"h2load did not succeed: {sent}")


def cost_of_keys(entries: list[bytes], seconds: int, runs: int) -> dict[str, Any]:
    """Return single entries a second of a platform without keys and of one with a key that has every quota, turn by turn."""
    turns: dict[str, list[Figures]] = {"without_keys": [], "with_key_and_quotas": []}
    room = {"ZERO_BUFFER_MEMORY_MAX_BYTES": str(BUFFER_BYTES)}
    with platform(**room) as plain, platform(**room) as keyed:
        shown = dict(zip(turns, ("", _make_key(keyed)), strict=True))
        platforms = dict(zip(turns, (plain, keyed), strict=True))
        for turn in range(runs + 1):
            for name in sorted(turns, reverse=bool(turn % 2)):  # whoever comes second has what the first one left behind
                for each in turns:
                    _settled(platforms[each], shown[each])
                figures = _undisturbed(platforms[name], shown[name], entries, seconds)
                if turn:  # the first one imports and allocates what is needed once
                    turns[name].append(figures)
    plain_turns, keyed_turns = turns.values()
    pairs = zip(plain_turns, keyed_turns, strict=True)
    ratios = {
        "per_second_ratio": round(statistics.median(after["per_second"] / before["per_second"] for before, after in pairs), 3),
        "ingest_cpu_us_ratio": round(_least_cpu(keyed_turns) / _least_cpu(plain_turns), 3),
    }
    return {
        "runs": runs,
        "connections": SINGLE_CONNECTIONS,
        **{name: _median(found) for name, found in turns.items()},
        **ratios,
    }


def _undisturbed(running: Platform, key: str, entries: list[bytes], seconds: int) -> Figures:
    """Return a turn in which nothing was refused: a disk that stands still for longer than 250 ms makes the doors say 503."""
    for _ in range(TURNS_MAX - 1):
        with suppress(RefusedError):
            return _single_entries(running, key, entries, seconds)
        _settled(running, key)
    return _single_entries(running, key, entries, seconds)


def _single_entries(running: Platform, key: str, entries: list[bytes], seconds: int) -> Figures:
    load = Load(entries, 1, SINGLE_CONNECTIONS, headers={"Authorization": f"Bearer {key}"} if key else {})
    with _drain_held(running, held=True):
        before = cpu_seconds(running.process.pid)
        found = wrk(running.ingest_url, load, seconds)
        used = used_since(before, cpu_seconds(running.process.pid))
    if found.refused:
        raise RefusedError(f"{found.refused} requests were refused")
    ingest = sum(spent for name, spent in used.items() if name.startswith("ingest"))
    return {
        "per_second": found.per_second,
        "ingest_cpu_us": ingest / found.accepted * 1e6,
    }


def _make_key(running: Platform) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
    command = [sys.executable, "-P", "-m", "zero", "keys", "create", "--tenant", "bench", "--scope", "ingest,query,admin"]
    made = subprocess.run(
        [*command, *QUOTAS],
        env=environment | {"ZERO_DATA_DIR": str(running.data_dir)},
        cwd=Path(running.data_dir).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"\bzero_\S+", made.stdout)
    if found is None:
        raise RuntimeError(f"no key was made:\n{made.stdout}{made.stderr}")
    time.sleep(3)  # until every process knows it
    return found[0]
