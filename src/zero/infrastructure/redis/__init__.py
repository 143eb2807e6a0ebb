"""The buffer: Redis or Valkey streams."""

from zero.infrastructure.redis.buffer import RedisBuffer
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.shard_log import RedisShardLog

__all__ = ["RedisBuffer", "RedisOptions", "RedisShardLog"]
