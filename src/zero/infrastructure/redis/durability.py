"""What a server's settings make of an acknowledgement."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from zero.application.ports import Durability
from zero.infrastructure.redis.options import RedisOptions

DURABLE = "durable"
RELAXED = "relaxed"


async def durability(client: Redis, options: RedisOptions) -> Durability:
    """Return ``durable`` only when every write is fsynced before its reply, and a failover of the cluster loses none."""
    promise = await _of_disk(client)
    if promise.mode != DURABLE or not options.cluster:
        return promise
    if options.replicas:
        return Durability(DURABLE, f"{promise.detail}, {options.replicas} replicas have it")
    if int((await client.info("replication")).get("connected_slaves", 0)):
        return Durability(RELAXED, "a failover can lose the last writes: set ZERO_BUFFER_REPLICAS=1 (docs/clusters.md)")
    return promise


async def _of_disk(client: Redis) -> Durability:
    try:
        settings = {**await client.config_get("appendonly"), **await client.config_get("appendfsync")}
    except (NoPermissionError, ResponseError):
        return await _without_config(client)
    appendonly, appendfsync = settings.get("appendonly", ""), settings.get("appendfsync", "")
    detail = f"appendonly {appendonly}, appendfsync {appendfsync}"
    return Durability(DURABLE if (appendonly, appendfsync) == ("yes", "always") else RELAXED, detail)


async def _without_config(client: Redis) -> Durability:
    """A managed server forbids CONFIG: INFO tells whether there is an append-only file, nothing tells when it is fsynced."""
    persistence = await client.info("persistence")
    state = "on" if persistence.get("aof_enabled") else "off"
    return Durability(RELAXED, f"append-only file {state}; appendfsync cannot be checked, CONFIG GET is not permitted")
