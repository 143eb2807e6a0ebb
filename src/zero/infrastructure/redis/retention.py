"""The days that retention has taken: their counters go from every shard's ledger, and do not come back."""

from typing import Any

from redis.asyncio import Redis

from zero.domain.retention import Cut
from zero.infrastructure.redis.keys import retention_key, shard_keys
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.replication import replicated
from zero.infrastructure.redis.shards import known_shards

OTHERS = "*"
"""Stands for every tenant that has no field of its own; no tenant is called so."""


class RedisRetention:
    """Implements RetentionLedger. The cut itself is kept, too: a block of an old day may be settled after its day is gone."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._nodes = Nodes(options)

    async def forget(self, cut: Cut) -> None:
        """Raise the cut that is kept, wait for replicas where that is asked for, then delete the counters before it."""
        with self._nodes.translated():
            client = await self._nodes.client(0)
            cut = cut.joined(await known_cut(client, self._options))
            first: Any = {OTHERS: cut.others, **cut.tenants}
            await client.hset(retention_key(self._options.namespace), mapping=first)
            await replicated(client, shard_keys(self._options.namespace, 0).mark, self._options)
            for shard in range(await known_shards(client, self._options)):
                ledger = shard_keys(self._options.namespace, shard).ledger
                await forget_days(await self._nodes.client(shard), ledger, cut)

    async def close(self) -> None:
        """Close the connections."""
        await self._nodes.close()


async def known_cut(client: Redis, options: RedisOptions) -> Cut:
    """Return the cut that is kept. ``client`` is that of shard 0."""
    found: Any = await client.hgetall(retention_key(options.namespace))
    first = {tenant.decode(): int(day) for tenant, day in found.items()}
    return Cut(first.pop(OTHERS, 0), first)


async def forget_days(client: Redis, ledger: str, cut: Cut) -> None:
    """Delete the counters of days before the cut from a shard's ledger."""
    fields: Any = await client.hgetall(ledger)
    days = [(field, *field.decode().removeprefix("stored@").split(":", 1)) for field in fields if field.startswith(b"stored@")]
    if old := [field for field, day, tenant in days if int(day) < cut.of(tenant)]:
        await client.hdel(ledger, *old)
