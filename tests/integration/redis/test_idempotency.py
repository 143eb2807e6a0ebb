"""An idempotency key is one append and one receipt, however many try at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from tests.contract.buffer_contract import frame
from tests.integration.redis.stub import StubServer
from tests.integration.servers import Server
from zero.application.ports import Append, Appended, IdempotencyKey
from zero.domain.errors import BufferUnavailable
from zero.infrastructure.redis import RedisBuffer, RedisOptions
from zero.infrastructure.redis.keys import idempotency_digest, idempotency_shard


def keyed(key: str, receipt: str, *, shard: int = 0, count: int = 3) -> Append:
    return Append(shard, frame(1).frame, "default", count, IdempotencyKey("default", key, receipt.encode()))


@pytest.fixture
async def buffers(redis_url: str, namespace: str) -> AsyncIterator[list[RedisBuffer]]:
    """Two processes' worth of buffers over the same two shards."""
    both = [RedisBuffer(RedisOptions(redis_url, shards=2, namespace=namespace, timeout_seconds=2.0)) for _ in range(2)]
    yield both
    for buffer in both:
        await buffer.close()


def receipts(outcomes: list[Appended], tried: list[str]) -> set[str]:
    """Return what each sender was told: the earlier receipt, or its own."""
    pairs = zip(outcomes, tried, strict=True)
    return {own if outcome.earlier_receipt is None else outcome.earlier_receipt.decode() for outcome, own in pairs}


async def test_concurrent_retries_give_one_append_and_one_receipt(buffers: list[RedisBuffer]) -> None:
    for round_ in range(20):
        tried = [f"receipt {round_}/{number}" for number in range(20)]
        outcomes = await asyncio.gather(
            *(buffers[number % 2].append([keyed(f"key {round_}", text)]) for number, text in enumerate(tried))
        )
        flat = [outcome for (outcome,) in outcomes]
        assert sum(outcome.position is not None for outcome in flat) == 1
        assert len(receipts(flat, tried)) == 1
    assert (await buffers[0].level()).frames == 20
    assert (await buffers[0].ledger())["default"].accepted == 60


async def test_a_retry_finds_its_key_whatever_shard_it_names(buffers: list[RedisBuffer]) -> None:
    (first,) = await buffers[0].append([keyed("key", "first", shard=0)])
    (again,) = await buffers[1].append([keyed("key", "second", shard=1)])
    assert first.position is not None
    assert first.position.shard == idempotency_shard(idempotency_digest("default", "key"), 2)
    assert again == Appended(None, b"first")


async def test_keyed_and_plain_appends_share_a_call_and_keep_their_places(buffers: list[RedisBuffer]) -> None:
    call = [keyed("a", "ra"), frame(1), keyed("b", "rb"), frame(2, shard=1), keyed("a", "ra2"), frame(3)]
    outcomes = await buffers[0].append(call)
    assert [outcome.earlier_receipt for outcome in outcomes] == [None, None, None, None, b"ra", None]
    assert [outcome.position is None for outcome in outcomes] == [False, False, False, False, True, False]
    assert [outcomes[index].position.shard for index in (1, 3, 5)] == [0, 1, 0]  # type: ignore[union-attr]


async def test_many_different_keys_at_once_are_each_appended(buffers: list[RedisBuffer]) -> None:
    outcomes = await asyncio.gather(*(buffers[n % 2].append([keyed(f"key {n}", "r", count=1)]) for n in range(500)))
    assert len({outcome.position for (outcome,) in outcomes}) == 500
    assert (await buffers[0].ledger())["default"].accepted == 500


async def test_the_oldest_keys_are_forgotten_above_the_bound(redis_url: str, namespace: str) -> None:
    buffer = RedisBuffer(RedisOptions(redis_url, namespace=namespace, idempotency_keys_max=100, timeout_seconds=2.0))
    await asyncio.gather(*(buffer.append([keyed(f"key {number}", "r")]) for number in range(1300)))
    with redis.Redis.from_url(redis_url) as client:
        remembered = client.lpop(f"{namespace}:{{0}}:idems", 10_000)
    assert isinstance(remembered, list)
    assert 100 <= len(remembered) < 1124
    (old,) = await buffer.append([keyed("key 0", "again")])
    (young,) = await buffer.append([keyed("key 1299", "again")])
    assert (old.earlier_receipt, young.earlier_receipt) == (None, b"r")
    await buffer.close()


@pytest.mark.timed
async def test_a_key_ends_after_its_time(redis_url: str, namespace: str) -> None:
    buffer = RedisBuffer(RedisOptions(redis_url, namespace=namespace, idempotency_seconds=1))
    await buffer.append([keyed("key", "first")])
    await asyncio.sleep(1.1)
    (again,) = await buffer.append([keyed("key", "second")])
    assert again.position is not None
    await buffer.close()


@pytest.mark.timed
async def test_keyed_appends_fail_when_the_server_is_gone_and_work_when_it_is_back(own_valkey: Server) -> None:
    buffer = RedisBuffer(RedisOptions(own_valkey.url))
    await buffer.append([keyed("one", "first")])
    own_valkey.kill()
    outcomes = await asyncio.gather(*(buffer.append([keyed("two", "r")]) for _ in range(10)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {BufferUnavailable}
    own_valkey.start()
    await asyncio.sleep(0.1)
    (again,) = await buffer.append([keyed("one", "second")])
    assert again.earlier_receipt == b"first"
    await buffer.close()


@pytest.mark.timed
async def test_closing_fails_the_keyed_appends_under_way(own_valkey: Server) -> None:
    buffer = RedisBuffer(RedisOptions(own_valkey.url))
    waiting = [asyncio.create_task(buffer.append([keyed(f"key {number}", "r")])) for number in range(300)]
    await asyncio.sleep(0)
    await buffer.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    assert {type(outcome) for outcome in outcomes} <= {list, BufferUnavailable}
    assert BufferUnavailable in {type(outcome) for outcome in outcomes}


class _FullBehindACommit(StubServer):
    """Has a replica, and just as much memory as one transaction takes."""

    receipt: bytes | None = None

    def _answer(self, name: bytes, queued: int) -> bytes:
        if name == b"EXEC":
            self.receipt = b"first"
        elif name == b"GET":
            return b"$-1\r\n" if self.receipt is None else b"$%d\r\n%s\r\n" % (len(self.receipt), self.receipt)
        elif name == b"WAIT":
            return b":1\r\n"
        elif name == b"SET" and self.receipt is not None:
            return b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
        return super()._answer(name, queued)


async def test_what_is_kept_is_not_refused_as_if_it_were_not_when_memory_ends_behind_it() -> None:
    async with _FullBehindACommit(None) as stub:
        buffer = RedisBuffer(RedisOptions(stub.url, replicas=1, timeout_seconds=2.0))
        (first,) = await buffer.append([keyed("key", "first")])
        assert first.position is not None
        with pytest.raises(BufferUnavailable, match="unknown"):  # not Overloaded: 429 says that nothing was kept
            await buffer.append([keyed("key", "first")])
        await buffer.close()
