"""What the buffer's server says of itself, for those who look after it."""

from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from zero.domain.errors import BufferUnavailable

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServerReport:
    """Product and version, '' when the server does not tell; its clock in Unix seconds, None when it may not say."""

    version: str
    now_seconds: float | None


async def server_report(url: str) -> ServerReport:
    """Ask the server. Raises BufferUnavailable."""
    client: Redis = Redis.from_url(url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS)
    try:
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            raise BufferUnavailable(f"the buffer does not answer: {error}") from error
        return ServerReport(await _version(client), await _now(client))
    finally:
        await client.aclose()


async def _version(client: Redis) -> str:
    try:
        said = await client.info("server")
    except (RedisError, OSError):
        return ""
    if "valkey_version" in said:
        return f"Valkey {said['valkey_version']}"
    return f"Redis {said['redis_version']}" if "redis_version" in said else ""


async def _now(client: Redis) -> float | None:
    try:
        seconds, microseconds = await client.time()
    except (RedisError, OSError):
        return None
    return float(seconds) + float(microseconds) / 1e6
