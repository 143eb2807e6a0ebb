"""The counters of a shard's ledger, held against the stream that they are about."""

from collections.abc import Iterable

from redis.asyncio import Redis

from zero.infrastructure.redis.keys import FIELD_COUNT, FIELD_TENANT, ShardKeys
from zero.infrastructure.redis.requests import ledger_field

_IN_BUFFER = ledger_field("in_buffer", "")
Fields = list[tuple[str, int]]


async def counters(client: Redis, keys: ShardKeys) -> Fields:
    """Return the fields of the shard's ledger, read in one step with the length of its stream.

    ``in_buffer`` moves together with the other counters, so that alone it cannot tell that the stream was lost. Of an empty
    stream it is 0, and of one that it knows nothing of it is at least the first entry: then the ledger does not balance.
    """
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.hgetall(keys.ledger)
        pipeline.xlen(keys.stream)
        found, length = await pipeline.execute()
        fields = _parsed(found.items())
        waiting = sum(value for field, value in fields if field.startswith(_IN_BUFFER))
        if not length:
            return [(field, value) for field, value in fields if not field.startswith(_IN_BUFFER)]
        if waiting > 0:
            return fields
        pipeline.hgetall(keys.ledger)  # a frame is read for this alone
        pipeline.xrange(keys.stream, count=1)
        found, rows = await pipeline.execute()
    fields = _parsed(found.items())
    if rows and sum(value for field, value in fields if field.startswith(_IN_BUFFER)) <= 0:
        fields += _first(rows[0][1])
    return fields


def _parsed(found: Iterable[tuple[bytes, bytes]]) -> Fields:
    return [(field.decode(), int(value)) for field, value in found]


def _first(entry: dict[bytes, bytes]) -> Fields:
    """Return what an entry adds to the counters; one that is not ours adds nothing."""
    count = entry.get(FIELD_COUNT, b"0")
    tenant = entry.get(FIELD_TENANT, b"").decode(errors="replace")
    return [(ledger_field("in_buffer", tenant), int(count))] if count.isdigit() and int(count) else []
