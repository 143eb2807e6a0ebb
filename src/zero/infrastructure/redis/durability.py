"""What a server's settings make of an acknowledgement."""

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from zero.application.ports import Durability

DURABLE = "durable"
RELAXED = "relaxed"


async def durability(client: Redis) -> Durability:
    """Return ``durable`` only when every write is fsynced before its reply."""
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
