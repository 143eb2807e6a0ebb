"""How many shards the buffer has: as many as it was ever used with, for what lies in them is there however many are set now."""

from typing import Any

from redis.asyncio import Redis

from zero.infrastructure.redis.keys import shards_key
from zero.infrastructure.redis.options import RedisOptions


async def note_shards(client: Redis, options: RedisOptions) -> None:
    """Remember the number that this process appends to. ``client`` is that of shard 0."""
    await client.hset(shards_key(options.namespace), str(options.shards), "1")


async def known_shards(client: Redis, options: RedisOptions) -> int:
    """Return the highest number remembered, or set now. ``client`` is that of shard 0."""
    counts: dict[Any, Any] = await client.hgetall(shards_key(options.namespace))
    return max(options.shards, *map(int, counts), 1)
