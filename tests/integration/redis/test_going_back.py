"""A buffer that has forgotten what it delivered: what may be stored already is verified before it is stored."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from tests.contract.buffer_contract import frame, taken
from tests.integration.servers import Server, patient_log, plain_valkey
from zero.application.drain import DrainParts, ShardDrain
from zero.application.ports import Append
from zero.domain.errors import BufferUnavailable
from zero.domain.frame import pack_frame, unpack_frame
from zero.domain.log_batch import join_entries
from zero.infrastructure.memory import MemoryCodec, MemoryStore, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog
from zero.infrastructure.system.clock import SystemClock

STREAM, GROUP = "zero:{0}:stream", "drain"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = plain_valkey(tmp_path).start()
    yield server
    server.close()


@pytest.fixture
async def buffer(server: Server) -> AsyncIterator[RedisBuffer]:
    buffer = RedisBuffer(RedisOptions(server.url))
    yield buffer
    await buffer.close()


@pytest.fixture
async def log(server: Server) -> AsyncIterator[RedisShardLog]:
    log = patient_log(server.url)
    yield log
    await log.close()


def forget_deliveries(server: Server, entry: str) -> None:
    """Make the server what a replica is that has the entry, and not its delivery."""
    with redis.Redis.from_url(server.url) as client:
        client.xack(STREAM, GROUP, entry)
        client.xgroup_setid(STREAM, GROUP, "0")


async def test_what_was_stored_before_the_group_was_lost_is_not_stored_again(
    server: Server, buffer: RedisBuffer, log: RedisShardLog
) -> None:
    codec, store = MemoryCodec(), MemoryStore()
    for bid in (7, 8):
        payload = join_entries(b"%d of %d" % (index, bid) for index in range(3))
        await buffer.append([Append(0, pack_frame(bid, 1, 3, "default", [payload], codec.crc32c), "default", 3)])
    lease = await taken(log)
    (delivery,) = await log.read(lease, 1, 0.0)
    assert delivery.data is not None
    await store.insert(codec.encode_block([unpack_frame(delivery.data, codec.crc32c)]), lease)
    with redis.Redis.from_url(server.url) as client:
        client.xgroup_destroy(STREAM, GROUP)
    other = patient_log(server.url)  # and the first to take the shard then dies at once
    assert await other.acquire(0, "drain-a")
    await other.close()
    drain = ShardDrain(0, "drain-a", DrainParts(log, store, codec, SystemClock(), random.Random(0), MemoryTelemetry()))
    drain.stop(30.0)
    await drain.run()
    assert {bid: [index for index, _ in rows] for bid, rows in store.rows.items()} == {7: [0, 1, 2], 8: [0, 1, 2]}
    ledger = (await buffer.ledger())["default"]
    assert (ledger.accepted, ledger.stored, ledger.in_buffer) == (6, 6, 0)


async def test_what_is_delivered_again_under_a_lease_ends_in_a_recovery(
    server: Server, buffer: RedisBuffer, log: RedisShardLog
) -> None:
    await buffer.append([frame(1)])
    lease = await taken(log)
    (delivery,) = await log.read(lease, 10, 0.0)
    forget_deliveries(server, delivery.position.entry)
    await buffer.append([frame(2)])
    with pytest.raises(BufferUnavailable, match="gone back"):
        await log.read(lease, 10, 0.0)
    assert [one.data for one in await log.pending(await taken(log), "0", 10)] == [frame(1).frame, frame(2).frame]


async def test_what_is_delivered_again_under_a_later_lease_is_verified_and_what_is_new_is_not(
    server: Server, buffer: RedisBuffer, log: RedisShardLog
) -> None:
    await buffer.append([frame(1)])
    (delivery,) = await log.read(await taken(log), 10, 0.0)
    forget_deliveries(server, delivery.position.entry)
    await buffer.append([frame(2)])
    lease = await taken(log)
    assert [(one.data, one.replayed) for one in await log.read(lease, 10, 0.0)] == [
        (frame(1).frame, True),
        (frame(2).frame, False),
    ]
