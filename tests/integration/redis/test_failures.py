"""What the buffer does when its server is gone, stopped, full or refuses."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
import uvloop

from tests.contract.buffer_contract import frame, taken
from tests.integration.redis.stub import StubServer
from tests.integration.servers import Server, embedded_valkey, plain_valkey
from zero.application.ports import Append, IdempotencyKey, Lease, Settlement
from zero.domain.errors import BufferFull, BufferUnavailable, Overloaded
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog

ANSWER_SECONDS = 0.25
pytestmark = pytest.mark.timed


@pytest.fixture
async def buffer(own_valkey: Server) -> AsyncIterator[RedisBuffer]:
    buffer = RedisBuffer(RedisOptions(own_valkey.url))
    yield buffer
    await buffer.close()


@pytest.fixture
async def log(own_valkey: Server) -> AsyncIterator[RedisShardLog]:
    log = RedisShardLog(RedisOptions(own_valkey.url))
    yield log
    await log.close()


async def refusal_seconds(buffer: RedisBuffer) -> float:
    """Return how long it takes to be refused."""
    started = time.monotonic()
    with pytest.raises(BufferUnavailable):
        await buffer.append([frame(1)])
    return time.monotonic() - started


async def test_what_was_acknowledged_survives_kill_9(own_valkey: Server, buffer: RedisBuffer, log: RedisShardLog) -> None:
    acknowledged: set[str] = set()

    async def sender(number: int) -> None:
        with contextlib.suppress(BufferUnavailable):
            while True:
                (appended,) = await buffer.append([frame(number)])
                assert appended.position is not None
                acknowledged.add(appended.position.entry)

    senders = [asyncio.create_task(sender(number)) for number in range(8)]
    await asyncio.sleep(0.3)
    own_valkey.kill()
    await asyncio.wait_for(asyncio.gather(*senders), 30)
    own_valkey.start()
    lease = await taken(log)
    stored = {delivery.position.entry for delivery in await log.read(lease, 1_000_000, 0.0)}
    assert len(acknowledged) > 100
    assert acknowledged <= stored
    entries = (await buffer.ledger())["default"]
    assert entries.accepted == entries.in_buffer == 3 * len(stored)


async def test_a_server_that_is_down_is_refused_within_250_ms_and_found_again(own_valkey: Server, buffer: RedisBuffer) -> None:
    await buffer.append([frame(1)])
    own_valkey.kill()
    for _ in range(10):
        assert await refusal_seconds(buffer) < ANSWER_SECONDS
        await asyncio.sleep(0.02)
    own_valkey.start()
    await accepts_within(buffer, 30.0)


async def test_a_stopped_server_is_refused_within_250_ms_once_it_is_silent(own_valkey: Server, buffer: RedisBuffer) -> None:
    await buffer.append([frame(1)])
    own_valkey.send(signal.SIGSTOP)
    await asyncio.sleep(0.5)
    assert await refusal_seconds(buffer) < ANSWER_SECONDS
    own_valkey.send(signal.SIGCONT)
    await accepts_within(buffer, 30.0)


async def test_an_append_under_way_when_the_server_stops_waits_for_a_slow_disk_but_not_forever(own_valkey: Server) -> None:
    buffer = RedisBuffer(RedisOptions(own_valkey.url, reply_timeout_seconds=1.0))
    await buffer.append([frame(1)])
    own_valkey.send(signal.SIGSTOP)
    slow = asyncio.create_task(buffer.append([frame(2)]))
    await asyncio.sleep(0.6)
    own_valkey.send(signal.SIGCONT)
    assert len(await slow) == 1
    own_valkey.send(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(BufferUnavailable, match="outcome is unknown"):
        await buffer.append([frame(3)])
    assert 0.9 < time.monotonic() - started < 5
    own_valkey.send(signal.SIGCONT)
    await buffer.close()


async def test_a_keyed_append_under_way_when_the_server_stops_is_given_up_soon_and_its_retry_finds_out(
    own_valkey: Server, buffer: RedisBuffer
) -> None:
    def keyed(receipt: bytes) -> Append:
        return Append(0, frame(1).frame, "default", 3, IdempotencyKey("default", "key", receipt))

    await buffer.append([Append(0, frame(2).frame, "default", 3, IdempotencyKey("default", "other", b"r"))])
    own_valkey.send(signal.SIGSTOP)
    tries = [asyncio.create_task(buffer.append([keyed(b"first")])) for _ in range(200)]
    started = time.monotonic()
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    took = time.monotonic() - started
    own_valkey.send(signal.SIGCONT)
    assert {type(outcome) for outcome in outcomes} == {BufferUnavailable}
    assert took < 2 * ANSWER_SECONDS
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(BufferUnavailable):
            await buffer.append([keyed(b"again")])
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert (await buffer.ledger())["default"].accepted == 6


async def test_a_silent_server_shows_while_an_append_is_under_way(own_valkey: Server, buffer: RedisBuffer) -> None:
    await buffer.append([frame(1)])
    assert not buffer.silent()
    own_valkey.send(signal.SIGSTOP)
    under_way = asyncio.create_task(buffer.append([frame(2)]))
    started = time.monotonic()
    while not buffer.silent():
        assert time.monotonic() - started < 2 * ANSWER_SECONDS
        await asyncio.sleep(0.005)
    assert time.monotonic() - started > 0.19
    own_valkey.send(signal.SIGCONT)
    assert len(await under_way) == 1
    assert not buffer.silent()


async def test_a_pause_of_the_whole_machine_is_not_taken_for_a_silent_server(own_valkey: Server) -> None:
    buffer = RedisBuffer(RedisOptions(own_valkey.url, reply_timeout_seconds=0.4))
    await buffer.append([frame(1)])
    own_valkey.send(signal.SIGSTOP)
    under_way = asyncio.create_task(buffer.append([frame(2)]))
    await asyncio.sleep(0)
    time.sleep(0.8)  # noqa: ASYNC251 - the pause is the case
    await asyncio.sleep(0.01)
    own_valkey.send(signal.SIGCONT)
    assert len(await under_way) == 1
    await buffer.close()


@pytest.fixture
def small_valkey(tmp_path: Path) -> Iterator[Server]:
    server = embedded_valkey(tmp_path, memory_max_bytes=6 * 1024 * 1024).start()
    yield server
    server.close()


@pytest.fixture
async def small(small_valkey: Server) -> AsyncIterator[tuple[RedisBuffer, RedisShardLog]]:
    """A buffer of 6 MB and its shard log."""
    buffer, log = RedisBuffer(RedisOptions(small_valkey.url)), RedisShardLog(RedisOptions(small_valkey.url))
    yield buffer, log
    await buffer.close()
    await log.close()


async def settle_all(log: RedisShardLog, lease: Lease, count: int) -> int:
    """Settle everything in the shard; return the number of frames, ``count`` entries each."""
    settled = 0
    while deliveries := await log.read(lease, 20, 0.0):
        await log.settle(lease, Settlement([one.position for one in deliveries], {"default": count * len(deliveries)}))
        settled += len(deliveries)
    return settled


async def test_a_full_buffer_refuses_and_accepts_again_below_the_low_water_mark(
    small: tuple[RedisBuffer, RedisShardLog],
) -> None:
    buffer, log = small
    accepted = 0
    with pytest.raises(Overloaded) as refused:
        for _ in range(1000):
            await buffer.append([Append(0, bytes(20_000), "default", 10)])
            accepted += 1
    assert accepted > 50
    assert refused.value.retry_after_seconds > 0
    level = await buffer.level()
    assert 0.7 < level.used_bytes / level.limit_bytes < 0.85, "refused before the server had to"
    lease = await taken(log)
    assert await settle_all(log, lease, 10) == accepted
    await accepts_within(buffer, 30.0)
    entries = (await buffer.ledger())["default"]
    assert (entries.stored, entries.in_buffer) == (10 * accepted, 3)


async def accepts_within(buffer: RedisBuffer, seconds: float) -> None:
    """Append until it works."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            await buffer.append([frame(1)])
            return
        except (Overloaded, BufferUnavailable):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("owned_before", [True, False])
async def test_a_server_out_of_memory_can_be_drained(tmp_path: Path, owned_before: bool) -> None:
    server = plain_valkey(tmp_path).start()
    buffer, log = RedisBuffer(RedisOptions(server.url)), RedisShardLog(RedisOptions(server.url))
    await buffer.next_process_epoch()
    lease = await log.acquire(0, "drain-a") if owned_before else None
    for _ in range(100):
        await buffer.append([Append(0, bytes(20_000), "default", 1)])
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", (await buffer.level()).used_bytes - 500_000)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("any", "value")
        lease = lease or await taken(log)
        assert await settle_all(log, lease, 1) == 100
        await accepts_within(buffer, 30.0)
        assert client.strlen("zero:{0}:reserve") > 50_000, "set aside again"
    assert (await buffer.ledger())["default"].stored == 100
    await buffer.close()
    await log.close()
    server.close()


async def test_appends_that_outrun_the_gauge_are_refused_by_the_server(small: tuple[RedisBuffer, RedisShardLog]) -> None:
    buffer, _ = small
    outcomes = await asyncio.gather(
        *(buffer.append([Append(0, bytes(100_000), "default", 1)]) for _ in range(100)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {list, BufferFull}
    assert (await buffer.level()).frames == sum(isinstance(outcome, list) for outcome in outcomes)


async def test_a_lost_stream_is_made_again_with_its_group_at_the_start(
    own_valkey: Server, buffer: RedisBuffer, log: RedisShardLog
) -> None:
    lease = await taken(log)
    with redis.Redis.from_url(own_valkey.url) as client:
        client.delete("zero:{0}:stream")
    await buffer.append([frame(1), frame(2)])
    with pytest.raises(BufferUnavailable, match="group"):
        await log.read(lease, 10, 0.5)
    deliveries = await log.read(await taken(log), 10, 0.5)
    assert [delivery.data for delivery in deliveries] == [frame(1).frame, frame(2).frame]


async def test_a_command_that_fails_inside_the_transaction_is_not_acknowledged(own_valkey: Server, buffer: RedisBuffer) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("zero:{0}:ledger", "not a hash")
        with pytest.raises(BufferUnavailable, match="WRONGTYPE"):
            await buffer.append([frame(1)])
        client.delete("zero:{0}:ledger")
    assert len(await buffer.append([frame(1)])) == 1


async def test_renewing_while_settling_does_not_lose_the_lease(buffer: RedisBuffer, log: RedisShardLog) -> None:
    lease = await taken(log)
    for _ in range(20):
        await buffer.append([frame(1)])
        (delivery,) = await log.read(lease, 1, 1.0)
        settlement = Settlement([delivery.position], {"default": 3})
        await asyncio.gather(log.renew(lease), log.settle(lease, settlement), log.renew(lease))
    assert (await buffer.ledger())["default"].stored == 60


async def test_an_entry_deleted_while_pending_is_delivered_without_data(
    own_valkey: Server, buffer: RedisBuffer, log: RedisShardLog
) -> None:
    await buffer.append([frame(1), frame(2)])
    lease = await taken(log)
    first, _ = await log.read(lease, 10, 0.0)
    with redis.Redis.from_url(own_valkey.url) as client:
        client.xdel("zero:{0}:stream", first.position.entry)
    gone, kept = await log.pending(lease, "0", 10)
    assert (gone.position, gone.data) == (first.position, None)
    assert (kept.data, kept.tenant, kept.count) == (frame(2).frame, "default", 3)


def test_everything_works_on_uvloop(own_valkey: Server) -> None:
    async def main() -> None:
        buffer, log = RedisBuffer(RedisOptions(own_valkey.url)), RedisShardLog(RedisOptions(own_valkey.url))
        await asyncio.gather(*(buffer.append([frame(number)]) for number in range(100)))
        lease = await taken(log)
        assert len(await log.read(lease, 1000, 0.0)) == 100
        own_valkey.kill()
        assert await refusal_seconds(buffer) < ANSWER_SECONDS
        await buffer.close()
        await log.close()

    uvloop.run(main())


@pytest.mark.parametrize(
    "reply",
    [
        "READONLY You can't write against a read only replica.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "LOADING Redis is loading the dataset in memory",
        "NOAUTH Authentication required.",
        "NOREPLICAS Not enough good replicas to write.",
        "CLUSTERDOWN The cluster is down",
        "BUSY Redis is busy running a script",
        "NOPERM this user has no permissions to run the 'xadd' command",
    ],
)
async def test_a_server_that_refuses_is_unavailable_and_its_code_is_named(reply: str) -> None:
    async with StubServer(reply) as stub:
        buffer, log = RedisBuffer(RedisOptions(stub.url)), RedisShardLog(RedisOptions(stub.url))
        code = reply.split(" ")[0]
        with pytest.raises(BufferUnavailable, match=code):
            await buffer.append([frame(1)])
        with pytest.raises(BufferUnavailable, match=code):
            await log.acquire(0, "drain-a")
        with pytest.raises(BufferUnavailable, match=code):
            await buffer.ledger()
        stub.reply = None
        assert len(await buffer.append([frame(1)])) == 1, "it recovers by itself"
        await buffer.close()
        await log.close()


async def test_a_server_that_talks_something_else_is_unavailable() -> None:
    async with StubServer(None, greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as stub:
        buffer = RedisBuffer(RedisOptions(stub.url))
        assert await refusal_seconds(buffer) < ANSWER_SECONDS
        await buffer.close()


async def test_a_server_that_never_answers_the_greeting_is_refused_within_250_ms() -> None:
    async with StubServer(None, mute=True) as stub:
        buffer = RedisBuffer(RedisOptions(stub.url))
        assert await refusal_seconds(buffer) < ANSWER_SECONDS
        await buffer.close()


async def test_a_closed_buffer_refuses(buffer: RedisBuffer) -> None:
    await buffer.append([frame(1)])
    await buffer.close()
    with pytest.raises(BufferUnavailable, match="closed"):
        await buffer.append([frame(2)])
