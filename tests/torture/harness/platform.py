"""The platform under torture: ``zero up`` with embedded servers, as a user starts it, in a folder and on ports of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError

from bench.processes import family, role_of
from tests.lifeline import tied
from tests.ports import free_port
from tests.torture.harness.doors import Door, all_doors, shown
from tests.torture.harness.entries import COUNT_SQL, STORED_ROW, STORED_SQL
from tests.torture.harness.oracle import StoredEntry
from zero.embedded.clickhouse.options import WRITER, read_passwords

READY_SECONDS_MAX = 90.0
SETTLE_SECONDS_MAX = 120.0
LOOK_SECONDS = 0.02
SETTLED_LOOKS = 10
PROBE_SECONDS_MAX = 20.0
ROWS_READ = 50_000
ROLES = ("ingest", "drain", "api", "valkey", "clickhouse")
WORKERS = 2


class Place:
    """Where a platform lives: its folder, its addresses, what can be asked of it. Knows nothing of how it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        names = ("ingest_http", "ingest_grpc", "api", "embedded_clickhouse")
        self.ports = {name: free_port() for name in names}
        self.sender_url = self.ingest_url = f"http://127.0.0.1:{self.ports['ingest_http']}"
        self.sender_grpc = f"127.0.0.1:{self.ports['ingest_grpc']}"
        self.api_url = f"http://127.0.0.1:{self.ports['api']}"
        self.store_url = f"http://127.0.0.1:{self.ports['embedded_clickhouse']}"
        self.fronts = [self.ingest_url, self.api_url]
        self.key = ""

    def environment(self) -> dict[str, str]:
        """Return the settings that put a platform here, without any that this process was given."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        addresses = {f"ZERO_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return {**kept, **addresses, "ZERO_DATA_DIR": str(self.data), "ZERO_INGEST_WORKERS": str(WORKERS)}

    def get(self, path: str, seconds: float = 30.0) -> Any:
        """Return the JSON that the api answers."""
        request = urllib.request.Request(f"{self.api_url}{path}", headers=shown(self.key))
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.load(answer)

    def doors(self) -> list[Door]:
        """Return one client for each way in."""
        return all_doors(self.sender_url, self.sender_grpc)

    def green(self) -> bool:
        """Say whether ingest and api would accept work now."""
        return all(_status(f"{url}/ready") == 200 for url in self.fronts)

    def accepts_and_stores(self) -> bool:
        """Send one entry and wait until it can be searched: every part of the platform works."""
        headers = {"Content-Type": "application/json", "Zero-Ack": "stored", **shown(self.key)}
        body = b'{"app_id":"probe","message":"is everything there?"}'
        request = urllib.request.Request(f"{self.ingest_url}/api/logs", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS_MAX) as answer:
                return bool(json.load(answer).get("ack") == "stored")
        except (OSError, ValueError):
            return False

    async def settled(self, seconds_max: float = SETTLE_SECONDS_MAX) -> dict[str, Any]:
        """Return the ledger once nothing is in the buffer (and it stays unbalanced, if it is), or when the time is up."""
        until, ledger, settled = time.monotonic() + seconds_max, {"in_buffer": -1}, 0
        while settled < SETTLED_LOOKS and time.monotonic() < until:
            try:
                ledger = await asyncio.to_thread(self.get, "/api/ledger")
            except (OSError, ValueError) as error:
                ledger = {"in_buffer": -1, "error": str(error)}
            if ledger["in_buffer"] == 0 and ledger["balanced"]:
                return ledger
            settled = settled + 1 if ledger["in_buffer"] == 0 else 0
            await asyncio.sleep(0.2)
        return ledger

    def rows(self) -> Iterator[StoredEntry]:
        """Yield every entry of the store that is not a probe."""
        with urllib.request.urlopen(self._question(STORED_SQL), timeout=300) as answer:
            while rows := answer.read(ROWS_READ * STORED_ROW.size):
                yield from STORED_ROW.iter_unpack(rows)

    def count(self) -> int:
        """Return how many entries the store has that are not probes."""
        with urllib.request.urlopen(self._question(COUNT_SQL), timeout=300) as answer:
            return int(answer.read())

    def ask(self, sql: str) -> str:
        """Ask the store; returns its answer as tab-separated text."""
        with urllib.request.urlopen(self._question(sql), timeout=60) as answer:
            return str(answer.read().decode())

    def _question(self, sql: str) -> urllib.request.Request:
        password = read_passwords(self.data / "clickhouse" / "passwords")[WRITER]
        shows = {"X-ClickHouse-User": WRITER, "X-ClickHouse-Key": password}
        return urllib.request.Request(f"{self.store_url}/?database=zero", sql.encode(), shows)


class Platform(Place):
    """``zero up``; can be killed part by part, and as a whole, and started again on the same files."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder)
        self.settings = settings
        self.log = folder / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start ``zero up`` without waiting."""
        output: IO[bytes]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                tied(sys.executable, "-P", "-m", "zero", "up"),
                env=self.environment() | self.settings,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def start(self) -> float:
        """Start and return after how many seconds everything was ready."""
        begun = time.monotonic()
        self.launch()
        return await self.until_ready(begun, frozenset())

    def processes(self) -> dict[str, list[int]]:
        """Return the process ids of each role; ``up`` is the supervisor."""
        assert self.process is not None
        found: dict[str, list[int]] = {"up": [self.process.pid]}
        for pid, command in family(self.process.pid).items():
            if pid != self.process.pid and (role := role_of(command)) in ROLES:
                found.setdefault(role, []).append(pid)
        return found

    async def until_ready(self, since: float, gone: frozenset[int]) -> float:
        """Return how many seconds after ``since`` all processes but those ``gone`` are there and both pages are green."""
        while not await asyncio.to_thread(self._whole, gone):
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > since + READY_SECONDS_MAX:
                raise RuntimeError(f"the platform is not ready; its last words:\n{self.said()[-3000:]}")
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - since

    def _whole(self, gone: frozenset[int]) -> bool:
        if listening(self.ports["ingest_http"]) < WORKERS or not self.green():
            return False
        found = self.processes()
        pids = {pid for some in found.values() for pid in some}
        return found.keys() >= set(ROLES) and len(found["ingest"]) == WORKERS and not pids & gone

    async def kill(self, roles: tuple[str, ...], everyone: bool) -> frozenset[int]:
        """Send SIGKILL to a process of each role (or to everyone of it) and return the process ids; starts ``up`` again."""
        found = await asyncio.to_thread(self.processes)
        victims = [pid for role in roles for pid in (found.get(role, []) if everyone else found.get(role, [])[:1])]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if "up" in roles:
            assert self.process is not None
            await asyncio.to_thread(self.process.wait)
            victims = [pid for pids in found.values() for pid in pids]  # the children die with it
            self.launch()
        return frozenset(victims)

    def stop(self) -> tuple[int, float]:
        """Ask it to end; return its exit code and the seconds that it took. Kills it after a minute: -9."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code, time.monotonic() - begun

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def said(self) -> str:
        """Return what it wrote so far."""
        return self.log.read_text(errors="replace")

    def restarts(self) -> Counter[str]:
        """Return how often the supervisor started a child again, by name, as its log says."""
        lines = (line.partition(" | ") for line in self.said().splitlines() if "starting it again" in line)
        return Counter(name.strip().split("-")[0] for name, _, _ in lines)


def listening(port: int) -> int:
    """Return how many sockets listen on the port: one for each ingest process."""
    wanted = f":{port:04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(1 for fields in lines if fields[1].endswith(wanted) and fields[3] == "0A")


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except URLError as error:
        return int(getattr(error, "code", 0))
    except (OSError, ValueError):
        return 0
