"""Memory set aside, so that a full buffer can be emptied.

A server at its memory limit refuses every transaction, those that would free memory too, and every lease. ``DEL`` alone always
works. So each shard has a string of zeros that is deleted when the drain is refused, and laid again when there is room.
"""

from typing import Any

from redis.asyncio import Redis

from zero.infrastructure.redis.gauge import memory
from zero.infrastructure.redis.keys import ShardKeys
from zero.infrastructure.redis.options import RedisOptions

_SHARE = 32
_SHARE_OF_ALL = 8
_BYTES_MAX = 32 << 20  # below the largest value that a server may be set to take


class Reserve:
    """The reserves of all shards: each 1/32 of the server's limit and at most 32 MiB, together at most 1/8."""

    def __init__(self, options: RedisOptions) -> None:
        self._divisor = max(_SHARE, _SHARE_OF_ALL * options.shards)
        self._low_water = options.low_water

    async def lay(self, client: Redis, keys: ShardKeys) -> bool:
        """Set the reserve aside if the server has a limit and is below the low-water mark with it. Says whether it is there."""
        info: dict[str, Any] = await client.info("memory")
        used, limit = memory(info)
        size = min(limit // self._divisor, _BYTES_MAX)
        if not int(info.get("maxmemory", 0)):
            return True
        if used + size > limit * self._low_water:
            return False
        await client.setrange(keys.reserve, size - 1, "\0")
        return True

    async def spend(self, client: Redis, keys: ShardKeys) -> None:
        """Give the memory back to the server."""
        await client.delete(keys.reserve)
