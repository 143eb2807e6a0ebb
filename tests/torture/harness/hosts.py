"""The platform on nine machines, each role by itself, as docs/clusters.md has it.

    ingest-1, ingest-2 ──► buffer-1, buffer-2, buffer-3 ◄── drain-1, drain-2 ──► store ◄── api

The buffer is a cluster of three primaries; the replica of each is on the next machine. Senders are on the bridge themselves.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from redis.exceptions import ResponseError

from bench import lan
from bench.lan import Machine
from tests.integration.redis.replicated_cluster import PRIMARIES, Node, ReplicatedCluster
from tests.torture.harness.doors import Door, EitherDoor, all_doors
from tests.torture.harness.platform import READY_SECONDS_MAX, Place
from zero.domain.errors import ZeroError
from zero.embedded.clickhouse.options import WRITER, read_passwords
from zero.infrastructure.redis.failures import FOREIGN
from zero.infrastructure.redis.keys import shard_keys
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions

SHARDS = 2 * PRIMARIES
NAMES = ("ingest-1", "ingest-2", "drain-1", "drain-2", "api", "buffer-1", "buffer-2", "buffer-3", "store")
HTTP, GRPC, API, STORE = 4318, 4317, 8080, 8123
LOOK_SECONDS = 0.02
FAILOVER_SECONDS = 6.0
COMMAND_SECONDS_MAX = 60.0


class Hosts(Place):
    """Nine machines. ``start`` makes them and what runs on them; each can be struck by its name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        lan.lay_out()
        self.machines = {name: Machine(name, 10 + number, folder) for number, name in enumerate(NAMES)}
        self.nodes: list[Node] = []
        self.cluster: ReplicatedCluster | None = None
        self.ingest_url, self.api_url = self._url("ingest-1", HTTP), self._url("api", API)
        self.store_url = self._url("store", STORE)
        self.fronts = [self._url("ingest-1", HTTP), self._url("ingest-2", HTTP), self.api_url]
        self._eyes: Nodes | None = None

    def _url(self, name: str, port: int) -> str:
        return f"http://{self.machines[name].address}:{port}"

    def doors(self) -> list[Door]:
        """Return one client for each way in, which takes the hosts of ingest by turns."""
        hosts = [self.machines[name].address for name in NAMES if name.startswith("ingest")]
        each = [all_doors(f"http://{host}:{HTTP}", f"{host}:{GRPC}", self.key) for host in hosts]
        return [EitherDoor(doors) for doors in zip(*each, strict=True)]

    async def start(self) -> None:
        """Start the servers, make tables and a key, start the roles, and return when all of them work."""
        password_file = self.data / "clickhouse" / "passwords"
        password = read_passwords(password_file)[WRITER]
        store = self.machines["store"]
        listen = ("--listen", f"{store.address}:{STORE}", "--password-file", str(password_file))
        server = (sys.executable, "-P", "-m", "zero.embedded.clickhouse", "--path", str(password_file.parent), *listen)
        store.commands.append((server, dict(os.environ)))
        store.start()
        await asyncio.to_thread(self._start_buffer)
        assert self.cluster is not None
        self._eyes = Nodes(RedisOptions(self.cluster.url, shards=SHARDS, timeout_seconds=2.0))
        told = self._settings(f"http://{WRITER}:{password}@{store.address}:{STORE}/zero")
        await self._until(lambda: store.reached(STORE), "the store")
        making = ("keys", "create", "--tenant", "default", "--scope", "ingest,query,admin", "--json")
        _, made = await asyncio.gather(self._zero(told, "migrate"), self._zero(told, *making))
        self.key = json.loads(made)["key"]
        for name, machine in self.machines.items():
            if role := _role(name):
                machine.commands.append(((sys.executable, "-P", "-m", "zero", *role), told | _listeners(machine)))
                machine.start()
        await self.whole()

    def _start_buffer(self) -> None:
        machines = [self.machines[name] for name in NAMES if name.startswith("buffer")]
        places = [*machines, *machines[1:], machines[0]]
        self.nodes += [Node(self.folder / one.name, one.address, one.within) for one in places]
        self.cluster = ReplicatedCluster(self.nodes)

    def _settings(self, store_url: str) -> dict[str, str]:
        assert self.cluster is not None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZERO_")}
        buffer = {"ZERO_BUFFER_URL": self.cluster.url, "ZERO_BUFFER_REPLICAS": "1", "ZERO_BUFFER_TIMEOUT_MS": "1000"}
        return {**kept, **buffer, "ZERO_CLICKHOUSE_URL": store_url, "ZERO_SHARDS": str(SHARDS), "ZERO_PLAINTEXT": "proxy"}

    async def _zero(self, told: Mapping[str, str], *words: str) -> str:
        command = [sys.executable, "-P", "-m", "zero", *words]
        how = {"cwd": self.folder, "capture_output": True, "text": True, "timeout": COMMAND_SECONDS_MAX, "check": False}
        done = await asyncio.to_thread(lambda: subprocess.run(command, env=dict(told), **how))  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"zero {words[0]}: {done.stderr[-2000:]}")
        return str(done.stdout)

    async def revive(self, name: str) -> None:
        """Start again what was killed on a machine."""
        machine = self.machines[name]
        machine.start()
        for node in self.nodes:
            if node.host == machine.address:
                node.start()

    async def whole(self) -> float:
        """Return after how many seconds every role answers, the buffer is complete, and an entry is stored."""
        begun = time.monotonic()
        assert self.cluster is not None
        await self._until(self.cluster.healthy, "the buffer")
        await asyncio.to_thread(self._lead)
        await self._until(self.green, "ingest and api")
        await self._until(self.accepts_and_stores, "storing")
        return time.monotonic() - begun

    def _lead(self) -> None:
        """Let the first nodes be primaries again, one on each machine, as an operator would after a failover."""
        assert self.cluster is not None
        for node in self.nodes[:PRIMARIES]:
            asked, until = 0.0, time.monotonic() + READY_SECONDS_MAX
            while node.role == "slave" and time.monotonic() < until:
                if time.monotonic() > asked + FAILOVER_SECONDS:  # it gives up after five by itself
                    with suppress(ResponseError):
                        node.ask("FAILOVER")
                    asked = time.monotonic()
                time.sleep(LOOK_SECONDS)
        self.cluster.until(self.cluster.healthy)

    async def _until(self, condition, what: str) -> None:  # type: ignore[no-untyped-def]
        until = time.monotonic() + READY_SECONDS_MAX
        while not await asyncio.to_thread(condition):
            if time.monotonic() > until:
                raise RuntimeError(f"{what}: not there in time; the last words:\n{self.said()}")
            await asyncio.sleep(LOOK_SECONDS)

    async def owners(self) -> dict[int, tuple[str, int]]:
        """Return who holds the lease of each shard, as far as its server answers, and how many entries were settled there."""
        assert self._eyes is not None
        found = {}
        for shard in range(SHARDS):
            keys = shard_keys("zero", shard)
            try:
                client = await self._eyes.client(shard)
                lease, ledger = await client.get(keys.lease), await client.hgetall(keys.ledger)
            except (*FOREIGN, ZeroError):
                self._eyes.forget()
                continue
            owner = lease.decode().rpartition(":")[0].rpartition("-")[0] if lease else ""
            found[shard] = owner, int(ledger.get(b"stored:default", 0))
        return found

    async def holder(self) -> tuple[str, dict[int, int]]:
        """Return the drain that holds most leases, and the entries settled so far of the shards that it holds."""
        until, found = time.monotonic() + READY_SECONDS_MAX, await self.owners()
        while not any(owner for owner, _ in found.values()):
            if time.monotonic() > until:
                raise RuntimeError("nobody holds a lease")
            await asyncio.sleep(LOOK_SECONDS)
            found = await self.owners()
        owners = [owner for owner, _ in found.values() if owner]
        holder = max(sorted(set(owners)), key=owners.count)
        return holder, {shard: count for shard, (owner, count) in found.items() if owner == holder}

    async def moved(self, victim: str, held: dict[int, int], since: float, seconds_max: float) -> dict[int, float]:
        """Return after how many seconds each shard that ``victim`` held had its first block stored by another."""
        moved: dict[int, float] = {}
        while len(moved) < len(held) and time.monotonic() < since + seconds_max:
            for shard, (owner, count) in (await self.owners()).items():
                if owner in ("", victim) and shard in held:
                    held[shard] = count
                elif count > held.get(shard, count):
                    moved.setdefault(shard, round(time.monotonic() - since, 3))
            await asyncio.sleep(LOOK_SECONDS)
        return moved | {shard: seconds_max for shard in held if shard not in moved}

    def said(self) -> str:
        """Return the last words of every machine."""
        return "\n".join(f"{name}: {machine.said()}" for name, machine in self.machines.items())

    async def end(self) -> None:
        """Kill everything."""
        if self._eyes is not None:
            await self._eyes.close()
        for node in self.nodes:
            node.client.close()
        for machine in self.machines.values():
            machine.kill()
        for node in self.nodes:
            node.process.wait()


def _role(name: str) -> tuple[str, ...]:
    """Return the command of zero that runs on a machine; none where a server does."""
    role = name.partition("-")[0]
    return {"ingest": ("ingest",), "drain": ("drain", "--owner", name), "api": ("api",)}.get(role, ())


def _listeners(machine: Machine) -> dict[str, str]:
    addresses = {"INGEST_HTTP": HTTP, "INGEST_GRPC": GRPC, "API": API}
    return {f"ZERO_{name}": f"{machine.address}:{port}" for name, port in addresses.items()}
