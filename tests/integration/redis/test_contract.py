"""The Redis buffer keeps the contract of the durable buffer, on Valkey, on Redis 7 and on a cluster."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.buffer_contract import BufferContract, LeaseOver, Lose, frame, taken
from tests.integration.redis.cluster import Cluster
from tests.integration.servers import debian_redis
from zero.application.overview import TenantBalance
from zero.application.ports import Settlement
from zero.domain.ledger import TenantLedger, day_of
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog
from zero.infrastructure.redis.keys import shard_keys
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.retention import RedisRetention

SHORT_SECONDS, LONG_SECONDS = 0.5, 60.0
"""A lease that a test waits out, and one that no stall of the machine outlives."""
PATIENT: dict[str, Any] = {"timeout_seconds": 2.0}
pytestmark = pytest.mark.timed  # a short lease may end in a stall


class Both:
    """A buffer and its shard log behind one name, as the contract has it."""

    def __init__(self, options: RedisOptions) -> None:
        self.options = options
        self.parts = (RedisBuffer(options), RedisShardLog(options), RedisRetention(options))

    async def lease_for(self, seconds: float) -> None:
        """Give leases of another length from now on."""
        await self.parts[1].close()
        self.parts = (self.parts[0], RedisShardLog(replace(self.options, lease_seconds=seconds)), self.parts[2])

    def __getattr__(self, name: str) -> Any:
        return getattr(next(part for part in (*self.parts[1:], self.parts[0]) if hasattr(part, name)), name)

    async def close(self) -> None:
        for part in self.parts:
            await part.close()


async def deleted(options: RedisOptions, name: str) -> None:
    """Delete a key of the first shard, as nobody of ours does."""
    nodes = Nodes(options)
    try:
        assert await (await nodes.client(0)).delete(getattr(shard_keys(options.namespace, 0), name)) == 1
    finally:
        await nodes.close()


class RedisContract(BufferContract):
    @pytest.fixture
    async def buffer(self, request: pytest.FixtureRequest, url: str, namespace: str) -> AsyncIterator[Both]:
        lease_seconds = SHORT_SECONDS if "lease_over" in request.fixturenames else LONG_SECONDS
        both = Both(RedisOptions(url, shards=2, namespace=namespace, lease_seconds=lease_seconds, **PATIENT))
        yield both
        await both.close()

    @pytest.fixture
    def lease_over(self, buffer: Both) -> LeaseOver:
        async def over() -> None:
            await asyncio.sleep(SHORT_SECONDS + 0.05)
            await buffer.lease_for(LONG_SECONDS)

        return over

    @pytest.fixture
    def lose(self, buffer: Both) -> Lose:
        return lambda: deleted(buffer.options, "stream")

    async def test_a_stream_that_the_ledger_knows_nothing_of_unbalances_it(self, buffer: Both) -> None:
        await buffer.append([frame(1, count=5), frame(2, tenant="b")])
        await deleted(buffer.options, "ledger")
        found = await buffer.ledger()
        assert found == {"default": TenantLedger(0, 0, 0, 5)}
        assert not TenantBalance(found["default"], 0, 0).balanced

    async def test_a_buffer_that_starts_empty_goes_on_above_the_epochs_of_the_one_before_it(
        self, buffer: Both, url: str, namespace: str
    ) -> None:
        epochs = [(await taken(buffer)).epoch for _ in range(3)]
        fresh = Both(RedisOptions(url, namespace=f"{namespace}:fresh", **PATIENT))
        try:
            assert (await taken(fresh)).epoch > max(epochs)
        finally:
            await fresh.close()

    async def test_days_that_retention_has_reached_are_forgotten(self, buffer: Both) -> None:
        await buffer.append([frame(1, count=5)])
        lease = await taken(buffer)
        (read,) = await buffer.read(lease, 10, 0.0)
        today = day_of(time.time_ns() // 1_000_000)
        days = {("default", today): 2, ("default", today - 32): 2, ("default", today - 33): 1}
        await buffer.settle(lease, Settlement([read.position], {"default": 5}, (), days))
        ledger = (await buffer.ledger())["default"]
        assert (ledger.stored, ledger.stored_by_day) == (5, {today: 2, today - 32: 2})


class TestValkey(RedisContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


class TestRedis7(RedisContract):
    @pytest.fixture
    def url(self, redis7_url: str) -> str:
        return redis7_url


class TestCluster(RedisContract):
    @pytest.fixture
    def url(self, cluster_url: str) -> str:
        return cluster_url


@pytest.fixture(scope="module")
def redis7_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = debian_redis(tmp_path_factory.mktemp("redis7")).start()
    yield server.url
    server.close()


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cluster = Cluster(Path(tmp_path_factory.mktemp("cluster")))
    yield cluster.url
    cluster.close()
