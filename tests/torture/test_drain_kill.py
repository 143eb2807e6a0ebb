"""The drain is killed, or stopped and woken, at random moments under load; the store must hold every row exactly once.

Real parts: Valkey with fsync before the reply, ClickHouse or PostgreSQL, the codec of each, a process of its own for the
drain.
``ZERO_TEST_SEED`` repeats the moments of a run.
"""

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.integration.postgres_server import PostgresServer, postgres_folder
from tests.integration.servers import Server, embedded_valkey
from zero.application.ports import Append
from zero.domain.batch_id import BatchIds
from zero.domain.frame import pack_frame
from zero.infrastructure.clickhouse.migrations import migrate
from zero.infrastructure.clickhouse.options import ClickHouseOptions
from zero.infrastructure.native.codec import NativeCodec
from zero.infrastructure.postgres.migrations import migrate as migrate_postgres
from zero.infrastructure.redis.buffer import RedisBuffer
from zero.infrastructure.redis.options import RedisOptions

KILLS, STOPS = 20, 5
FRAME_ENTRIES = 50
FRAME_PAUSE_SECONDS = 0.006
BACKLOG_FRAMES_MAX = 400
SETTLE_SECONDS = 60.0
SEED = int(os.environ.get("ZERO_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)


@dataclass(slots=True)
class Servers:
    """Where the parts are, and how many moments of a test there is time for."""

    buffer_url: str
    store_url: str
    kills: int = KILLS
    stops: int = STOPS

    def stored(self) -> list[tuple[int, int, str]]:
        """Ask the store directly for every row: batch id, index, MD5 of the message."""
        options = ClickHouseOptions(self.store_url)
        sql = "SELECT _bid, _idx, lower(hex(MD5(message))) FROM logs FORMAT TSV"
        request = urllib.request.Request(f"http://{options.host}:{options.port}/", sql.encode())
        request.add_header("X-ClickHouse-User", options.user)
        request.add_header("X-ClickHouse-Key", options.password)
        with urllib.request.urlopen(request, timeout=60) as reply:
            lines = [line.split("\t") for line in reply.read().decode().splitlines()]
        return [(int(bid), int(index), digest) for bid, index, digest in lines]


class PostgresServers(Servers):
    """The same with PostgreSQL as the store."""

    def stored(self) -> list[tuple[int, int, str]]:
        """Ask the store directly for every row: batch id, index, MD5 of the message."""
        with psycopg.connect(self.store_url) as connection:
            rows = connection.execute("SELECT bid, idx, md5(message) FROM logs").fetchall()
        return [(bid + 2**63, index, digest) for bid, index, digest in rows]


@pytest.fixture(params=["clickhouse", "postgres"])
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """A Valkey and a store of the test's own, migrated."""
    with tempfile.TemporaryDirectory(prefix="zero-") as directory:
        home = Path(directory)
        valkey: Server = embedded_valkey(home / "buffer").start()
        try:
            if request.param == "clickhouse":
                with embedded_clickhouse(home / "store") as store_url:
                    migrate(ClickHouseOptions(store_url))
                    yield Servers(valkey.url, store_url)
            else:
                with own_postgres() as store_url:
                    yield PostgresServers(valkey.url, store_url, kills=6, stops=2)
        finally:
            valkey.close()


@contextmanager
def own_postgres() -> Iterator[str]:
    """Give the URL of a migrated database."""
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed on this machine: deploy/machine.sh test-packages")
    server = PostgresServer().start()
    try:
        migrate_postgres(server.options("postgres"))
        yield server.url("postgres")
    finally:
        server.close()


@contextmanager
def embedded_clickhouse(path: Path) -> Iterator[str]:
    """Give the URL of a running store."""
    argv = [sys.executable, "-m", "zero.embedded.clickhouse", "--path", str(path), "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*argv, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, _, url = process.stdout.readline().strip().partition(" ")
            assert word == "ready", "the store did not start"
            password = dict(line.split(":", 1) for line in (path / "passwords").read_text().splitlines())["default"]
            yield url.replace("http://", f"http://default:{password}@")
        finally:
            process.terminate()


class DrainProcess:
    """One drain under a name, started again after each kill."""

    def __init__(self, servers: Servers, owner: str, log: Path, lease_seconds: float) -> None:
        self._argv = [sys.executable, "-m", "tests.torture.drain_process", servers.buffer_url, servers.store_url, owner]
        self._argv.append(str(lease_seconds))
        self._log = log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(self._argv, stdout=out, stderr=out)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to end, and return its exit status."""
        self.process.terminate()
        return self.process.wait(30)

    def events(self, name: str) -> list[dict[str, int]]:
        """Return the events of all its lives. A last line cut off by a kill is left out."""
        events = [
            json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{") and line.endswith("}")
        ]
        return [event for event in events if event["event"] == name]


StartDrain = Callable[[str, float], DrainProcess]


@pytest.fixture
def start_drain(servers: Servers, tmp_path: Path) -> Iterator[StartDrain]:
    """Starts drains by (owner, lease seconds), and leaves none behind."""
    started: list[DrainProcess] = []

    def start(owner: str, lease_seconds: float) -> DrainProcess:
        started.append(DrainProcess(servers, owner, tmp_path / f"{owner}.log", lease_seconds))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@dataclass(slots=True)
class Load:
    """Frames on their way in, and what they hold: (batch id, index) → MD5 of the message."""

    buffer: RedisBuffer
    source: random.Random
    rows: dict[tuple[int, int], str] = field(default_factory=dict)
    _codec: NativeCodec = field(default_factory=NativeCodec)
    _ids: BatchIds = field(default_factory=lambda: BatchIds(1))

    async def run(self, until: asyncio.Event) -> None:
        """Append frame after frame, as fast as the drain keeps up with."""
        while not until.is_set():
            while (await self.buffer.level()).frames > BACKLOG_FRAMES_MAX:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.05)
            await self._append()
            await asyncio.sleep(FRAME_PAUSE_SECONDS)

    async def _append(self) -> None:
        now_ns = time.time_ns()
        bid, tenant = self._ids.next(now_ns // 1_000_000), self.source.choice(["default", "blue", "grün"])
        messages = [f"entry {index} of {bid}: {self.source.random()} ü" for index in range(FRAME_ENTRIES)]
        days = self.source.choice([0, 0, 1, 2])  # several partitions in a block: parts become visible one by one
        body = [{"message": one, "timestamp": now_ns - (at % 2) * days * 86_400 * 10**9} for at, one in enumerate(messages)]
        decoded = self._codec.decode_json(json.dumps(body).encode(), now_ns, "127.0.0.1")
        assert decoded.accepted == FRAME_ENTRIES
        frame = pack_frame(bid, now_ns // 1_000_000, FRAME_ENTRIES, tenant, [decoded.payload], self._codec.crc32c)
        await self.buffer.append([Append(0, frame, tenant, FRAME_ENTRIES)])
        for index, message in enumerate(messages):
            self.rows[bid, index] = hashlib.md5(message.encode()).hexdigest()


def patient(servers: Servers) -> RedisOptions:
    """Return how to reach the buffer on a slow disk: what was sent and not answered could not be judged."""
    return RedisOptions(servers.buffer_url, timeout_seconds=20.0, reply_timeout_seconds=20.0)


async def emptied(buffer: RedisBuffer) -> None:
    """Return once everything is settled."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while (await buffer.level()).frames:  # noqa: ASYNC110 - the buffer is in another process
            await asyncio.sleep(0.05)


async def judge(servers: Servers, load: Load) -> None:
    """Compare ids and content hashes, and the ledger."""
    stored = Counter(servers.stored())
    wanted = Counter((*identity, digest) for identity, digest in load.rows.items())
    lost, extra = wanted - stored, stored - wanted
    counts = f"{lost.total()} lost, {extra.total()} double or changed of {wanted.total()}"
    assert not lost and not extra, f"seed {SEED}: {counts}; {_by_batch(lost)} {_by_batch(extra)}"
    for tenant, row in (await load.buffer.ledger()).items():
        assert (row.stored, row.in_buffer, row.dead_lettered) == (row.accepted, 0, 0), f"seed {SEED}: {tenant} {row}"
    assert sum(row.accepted for row in (await load.buffer.ledger()).values()) == len(load.rows)


def _by_batch(rows: Counter[tuple[int, int, str]]) -> list[tuple[int, list[int]]]:
    """Return batch ids with the indexes concerned, to find them in the events of the drains; the first few."""
    ids = sorted({identity for identity, *_ in rows})
    return [(identity, sorted(index for one, index, _ in rows if one == identity)) for identity in ids[:8]]


@pytest.mark.slow
async def test_kills_lose_nothing_and_double_nothing(servers: Servers, start_drain: StartDrain) -> None:
    print(f"seed {SEED}")
    moments, done = random.Random(SEED), asyncio.Event()
    load = Load(RedisBuffer(patient(servers)), random.Random(SEED + 1))
    loading = asyncio.create_task(load.run(done))
    process = start_drain("drain-0", 10.0)
    for kill in range(servers.kills):
        async with asyncio.timeout(120):
            while len(process.events("lease_taken")) <= kill:  # noqa: ASYNC110 - it starts in another process
                await asyncio.sleep(0.02)
        await asyncio.sleep(moments.random() * 0.8)
        process.kill()
        process.start()
    done.set()
    await loading
    await emptied(load.buffer)
    assert process.stop() == 0
    await judge(servers, load)
    await load.buffer.close()
    verified = process.events("verify")
    present = sum(1 for event in verified if event["present"])
    print(f"{len(load.rows)} rows, {len(verified)} verifies, {present} of them met rows that were stored and not settled")
    assert verified, "no kill met a block in hand: the test proves nothing"


@pytest.mark.slow
async def test_a_stopped_owner_that_wakes_up_changes_nothing(servers: Servers, start_drain: StartDrain) -> None:
    moments, done = random.Random(SEED), asyncio.Event()
    load = Load(RedisBuffer(patient(servers)), random.Random(SEED + 1))
    loading = asyncio.create_task(load.run(done))
    pair = [start_drain(f"drain-{n}", 1.0) for n in range(2)]
    await asyncio.sleep(2.5)
    wanted, rounds = min(3, servers.stops), 0
    async with asyncio.timeout(120):
        while rounds < servers.stops or leases_lost(pair) < wanted:
            for process in pair:
                process.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(1.2 + moments.random() * 0.5)
                process.process.send_signal(signal.SIGCONT)
                await asyncio.sleep(moments.random() * 0.3)
            rounds += 1
    done.set()
    await loading
    await emptied(load.buffer)
    assert [process.stop() for process in pair] == [0, 0]
    await judge(servers, load)
    await load.buffer.close()
    print(f"{len(load.rows)} rows, {leases_lost(pair)} leases lost")


def leases_lost(pair: list[DrainProcess]) -> int:
    """Count how often an owner found that its lease was another's: without that the test proves nothing."""
    return sum(len(process.events("lease_lost")) for process in pair)
