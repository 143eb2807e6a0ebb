"""A real cluster of six nodes under load: slots move, primaries are killed, replicas take their place; nothing is lost.

``CLUSTER_KILLS`` sets how many primaries are killed; ``CLUSTER_REPLICAS=0`` shows what is lost where nobody waits for replicas.
"""

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.redis.replicated_cluster import PRIMARIES, Node, ReplicatedCluster
from zero.application.drain import DrainOptions, DrainParts, DrainService, DrainServiceOptions, ShardDrain, ShardShare
from zero.application.ports import Append, IdempotencyKey
from zero.application.retry import BackoffOptions
from zero.domain.errors import BufferUnavailable, ZeroError
from zero.domain.frame import pack_frame
from zero.domain.log_batch import join_entries
from zero.infrastructure.memory import MemoryCodec, MemoryStore, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog
from zero.infrastructure.redis.keys import shard_keys
from zero.infrastructure.system.clock import SystemClock

SHARDS, ENTRIES = 6, 5
REPLICAS = int(os.environ.get("CLUSTER_REPLICAS", "1"))
KILLS = int(os.environ.get("CLUSTER_KILLS", "1"))
CODEC = MemoryCodec()
KILLED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Of the connections that redis-py was opening to a node when it was killed."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicatedCluster]:
    folder = Path(tmp_path_factory.mktemp("cluster"))
    cluster = ReplicatedCluster([Node(folder) for _ in range(2 * PRIMARIES)])
    yield cluster
    cluster.close()


def options(cluster: ReplicatedCluster, namespace: str, replicas: int = REPLICAS) -> RedisOptions:
    bounds = {"timeout_seconds": 1.0, "reply_timeout_seconds": 3.0, "lease_seconds": 3.0}
    return RedisOptions(cluster.url, shards=SHARDS, namespace=namespace, replicas=replicas, **bounds)


@dataclass
class Load:
    """Frames from several senders at once; each says what was acknowledged, and never sends a frame twice."""

    buffer: RedisBuffer
    acknowledged: set[int] = field(default_factory=set)
    unknown: int = 0
    number: int = 0

    async def run(self, until: asyncio.Event) -> None:
        await asyncio.gather(*(self._send(shard, until) for shard in range(SHARDS)))

    async def _send(self, shard: int, until: asyncio.Event) -> None:
        while not until.is_set():
            self.number += 1
            bid = self.number
            entries = [f"{bid}-{at}".encode() for at in range(ENTRIES)]
            frame = pack_frame(bid, 1_760_000_000_000, ENTRIES, "default", [join_entries(entries)], CODEC.crc32c)
            try:
                await self.buffer.append([Append(shard, frame, "default", ENTRIES)])
                self.acknowledged.add(bid)
            except ZeroError:
                self.unknown += 1
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.002)

    async def acknowledges_every_shard(self) -> None:
        """Return once a frame was acknowledged on each shard from now on."""
        before = len(self.acknowledged)
        async with asyncio.timeout(60):
            while len(self.acknowledged) < before + 20 * SHARDS:  # noqa: ASYNC110 - senders run beside
                await asyncio.sleep(0.02)


async def drained(log: RedisShardLog, store: MemoryStore, stop: asyncio.Event) -> None:
    parts = DrainParts(log, store, CODEC, SystemClock(), random.Random(1), MemoryTelemetry())
    retry = BackoffOptions(first_seconds=0.05, seconds_max=0.3)
    bounds = DrainOptions(linger_seconds=0.0, idle_seconds=0.05, renew_seconds=0.5, retry=retry)
    service = DrainService(
        lambda shard: ShardDrain(shard, f"d{shard}", parts, bounds), log, ShardShare(), SHARDS, DrainServiceOptions(0.2, 30.0)
    )
    await service.run(stop)


@pytest.mark.slow
@pytest.mark.timed
@KILLED
async def test_moved_slots_and_killed_primaries_lose_nothing_and_double_nothing(
    cluster: ReplicatedCluster, namespace: str
) -> None:
    buffer, log, store = RedisBuffer(options(cluster, namespace)), RedisShardLog(options(cluster, namespace)), MemoryStore()
    await buffer.next_process_epoch()
    assert len({cluster.primary_of(shard_keys(namespace, shard).stream).port for shard in range(SHARDS)}) > 1
    load, over, stop = Load(buffer), asyncio.Event(), asyncio.Event()
    loading, draining = asyncio.create_task(load.run(over)), asyncio.create_task(drained(log, store, stop))
    await load.acknowledges_every_shard()
    await asyncio.to_thread(cluster.move_slot_of, shard_keys(namespace, 0).stream)
    await load.acknowledges_every_shard()
    for kill in range(KILLS):
        victim = await asyncio.to_thread(cluster.primary_of, shard_keys(namespace, kill % SHARDS).stream)
        victim.kill()
        await load.acknowledges_every_shard()
        victim.start()
        await asyncio.to_thread(cluster.until, cluster.healthy)
    over.set()
    await loading
    async with asyncio.timeout(60):
        while (await buffer.level()).frames:  # noqa: ASYNC110 - the drain runs beside
            await asyncio.sleep(0.05)
    stop.set()
    await draining
    ledger = (await buffer.ledger())["default"]
    lost = {bid for bid in load.acknowledged if sorted(index for index, _ in store.rows.get(bid, ())) != list(range(ENTRIES))}
    double = {bid for bid, rows in store.rows.items() if len({index for index, _ in rows}) != len(rows)}
    print(f"{len(load.acknowledged)} frames acknowledged, {load.unknown} not, {len(lost)} lost, {len(double)} double")
    assert not lost
    assert not double
    assert load.unknown, "no sender noticed a kill: the test proves nothing"
    assert (ledger.accepted, ledger.in_buffer) == (ledger.stored, 0)
    assert ledger.stored == sum(len(rows) for rows in store.rows.values())
    await buffer.close()
    await log.close()


@pytest.mark.timed
@KILLED
async def test_what_no_replica_has_is_not_acknowledged_and_a_later_try_with_the_key_is(
    cluster: ReplicatedCluster, namespace: str
) -> None:
    await asyncio.to_thread(cluster.until, cluster.healthy)
    buffer = RedisBuffer(options(cluster, namespace))
    await buffer.append([Append(0, pack_frame(6, 0, 1, "t", [join_entries([b"a"])], CODEC.crc32c), "t", 1)])
    followers = [node for node in cluster.nodes if node.role == "slave"]
    frame = pack_frame(7, 0, 1, "t", [join_entries([b"a"])], CODEC.crc32c)
    keyed = [Append(0, frame, "t", 1, IdempotencyKey("t", "once", b"receipt"))]
    for node in followers:
        node.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(BufferUnavailable, match="0 of 1 replicas"):
            await buffer.append([Append(0, frame, "t", 1)])
        with pytest.raises(BufferUnavailable):
            await buffer.append(keyed)
    finally:
        for node in followers:
            node.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(cluster.until, cluster.healthy)
    (appended,) = await buffer.append(keyed)
    assert appended.earlier_receipt == b"receipt"
    await buffer.close()


async def test_a_cluster_without_acknowledged_replication_says_what_a_failover_can_do(
    cluster: ReplicatedCluster, namespace: str
) -> None:
    for replicas, mode, words in ((0, "relaxed", "ZERO_BUFFER_REPLICAS"), (1, "durable", "1 replicas")):
        buffer = RedisBuffer(options(cluster, namespace, replicas))
        found = await buffer.durability()
        assert (found.mode, words in found.detail) == (mode, True)
        await buffer.close()


@pytest.mark.slow
@pytest.mark.timed
@KILLED
async def test_what_nobody_waited_for_is_lost_with_its_primary(cluster: ReplicatedCluster, namespace: str) -> None:
    """Why the setting is there: acknowledged while the replica was cut off, gone after it took over."""
    await asyncio.to_thread(cluster.until, cluster.healthy)
    buffer = RedisBuffer(options(cluster, namespace, replicas=0))
    primary = await asyncio.to_thread(cluster.primary_of, shard_keys(namespace, 0).stream)
    follower = next(node for node in cluster.nodes if f"slave {primary.identity}" in _myself(node))
    frames = [pack_frame(bid, 0, 1, "t", [join_entries([b"a"])], CODEC.crc32c) for bid in range(1, 11)]
    await buffer.append([Append(0, frames[0], "t", 1)])
    await asyncio.sleep(0.2)
    follower.process.send_signal(signal.SIGSTOP)
    primary.client.execute_command("CLIENT KILL", "TYPE", "replica")  # else the kernel keeps for it what it was sent
    for frame in frames[1:]:
        await buffer.append([Append(0, frame, "t", 1)])
    primary.kill()
    follower.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(cluster.until, lambda: follower.role == "master")
    found = follower.client.xlen(shard_keys(namespace, 0).stream)
    primary.start()
    await asyncio.to_thread(cluster.until, cluster.healthy)
    print(f"{len(frames)} frames acknowledged, {len(frames) - int(str(found))} lost")
    assert found == 1
    await buffer.close()


def _myself(node: Node) -> str:
    return next(line.partition("myself,")[2] for line in node.ask("NODES").splitlines() if "myself," in line)
