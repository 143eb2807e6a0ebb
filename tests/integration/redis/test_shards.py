"""Shards that are no longer appended to are drained and counted all the same."""

import asyncio
import random

from tests.contract.buffer_contract import frame
from zero.application.drain import DrainOptions, DrainParts, DrainService, ShardDrain, ShardShare
from zero.application.ports import Append
from zero.domain.frame import pack_frame
from zero.domain.log_batch import join_entries
from zero.infrastructure.memory import MemoryCodec, MemoryStore, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog
from zero.infrastructure.system.clock import SystemClock


def entries(bid: int, shard: int) -> Append:
    return Append(shard, pack_frame(bid, 0, 2, "default", [join_entries([b"a", b"b"])], MemoryCodec().crc32c), "default", 2)


async def test_a_lower_number_of_shards_strands_nothing(redis_url: str, namespace: str) -> None:
    before = RedisBuffer(RedisOptions(redis_url, shards=3, namespace=namespace))
    await before.next_process_epoch()
    await before.append([entries(bid, bid % 3) for bid in range(9)])
    await before.close()

    options, store = RedisOptions(redis_url, shards=1, namespace=namespace), MemoryStore()
    after, log = RedisBuffer(options), RedisShardLog(options)
    assert (await after.ledger())["default"].in_buffer == 18
    assert (await after.level()).frames == 9
    parts = DrainParts(log, store, MemoryCodec(), SystemClock(), random.Random(1), MemoryTelemetry())
    drain = DrainOptions(linger_seconds=0.0, idle_seconds=0.05)
    service = DrainService(lambda shard: ShardDrain(shard, f"d{shard}", parts, drain), log, ShardShare(0, 1), 1)
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    async with asyncio.timeout(60):
        while (await after.ledger())["default"].in_buffer:  # noqa: ASYNC110 - a ledger has no event to wait for
            await asyncio.sleep(0.02)
        stop.set()
        await running
    ledger = (await after.ledger())["default"]
    assert (ledger.accepted, ledger.stored, len(store.rows)) == (18, 18, 9)
    await after.close()
    await log.close()


async def test_a_buffer_of_another_namespace_knows_only_its_own_shards(redis_url: str, namespace: str) -> None:
    buffer = RedisBuffer(RedisOptions(redis_url, shards=2, namespace=namespace))
    await buffer.next_process_epoch()
    await buffer.append([frame(1)])
    await buffer.close()
    log = RedisShardLog(RedisOptions(redis_url, shards=1, namespace=f"{namespace}:other"))
    assert await log.shards() == 1
    await log.close()
