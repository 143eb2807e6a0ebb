"""Writes that replicas have as well: a primary that is lost takes nothing with it that was waited for (docs/clusters.md)."""

from typing import Any

from redis.asyncio import Redis

from zero.domain.errors import BufferUnavailable
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.requests import pack


async def replicated(client: Redis, key: str, options: RedisOptions) -> None:
    """Return once the replicas have all that was written before this call, which ``key`` of the same slot is written for.

    Raises BufferUnavailable when they have not in time. The order of writes is the same everywhere, so one that they have
    stands for those before it, whatever the connection.
    """
    if not options.replicas:
        return
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.set(key, b"")
        pipeline.execute_command("WAIT", options.replicas, options.replicas_ms)
        check_replicas((await pipeline.execute())[-1], options)


def waiting(options: RedisOptions) -> bytes:
    """Return the command that waits for the replicas to have what its connection wrote."""
    return pack("WAIT", str(options.replicas), str(options.replicas_ms))


def check_replicas(reply: Any, options: RedisOptions) -> None:
    """Raise BufferUnavailable when the reply to WAIT says that too few have it. What was written may be there or not."""
    if int(reply) < options.replicas:
        raise BufferUnavailable(f"{int(reply)} of {options.replicas} replicas have it; the outcome is unknown")
