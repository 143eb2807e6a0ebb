"""The key store in the buffer keeps the contract, under the embedded server's access list."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from tests.contract.key_store_contract import ACT, KeyStoreContract, key
from tests.integration.servers import Server
from zero.domain.errors import BufferUnavailable
from zero.infrastructure.redis.key_store import AUDIT_RECORDS_MAX, RedisKeyStore
from zero.infrastructure.redis.keys import key_names
from zero.infrastructure.redis.options import RedisOptions


@pytest.fixture
async def store(redis_url: str, namespace: str) -> AsyncIterator[RedisKeyStore]:
    store = RedisKeyStore(RedisOptions(redis_url, namespace=namespace, timeout_seconds=2.0))
    yield store
    await store.close()


class TestRedisKeyStore(KeyStoreContract):
    pass


async def test_of_two_who_change_at_once_one_is_told_to_look_again(store: RedisKeyStore) -> None:
    outcomes = await asyncio.gather(*(store.change(0, [key(number)], [], ACT) for number in range(8)))
    assert outcomes.count(True) == 1
    assert len((await store.load()).keys) == 1


async def test_no_secret_and_nothing_but_its_digest_lies_in_the_buffer(
    store: RedisKeyStore, redis_url: str, namespace: str
) -> None:
    await store.change(0, [key(1)], [], ACT)
    with redis.Redis.from_url(redis_url) as client:
        record = client.hgetall(key_names(namespace).records)[key(1).id.encode()]
    assert key(1).digest.hex().encode() in record


async def test_the_audit_log_is_bounded(store: RedisKeyStore, redis_url: str, namespace: str) -> None:
    await store.record(ACT)
    names = key_names(namespace)
    with redis.Redis.from_url(redis_url) as client:
        pipeline = client.pipeline(transaction=False)
        for _ in range(AUDIT_RECORDS_MAX + 500):
            pipeline.xadd(names.audit, {"at_ns": 1, "actor": "", "act": "", "subject": "", "detail": ""})
        pipeline.execute()
        await store.record(ACT)
        assert client.xlen(names.audit) <= AUDIT_RECORDS_MAX + 100


async def test_a_record_that_cannot_be_read_does_not_look_like_no_keys(
    store: RedisKeyStore, redis_url: str, namespace: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.hset(key_names(namespace).records, "aa", "{}")
    with pytest.raises(BufferUnavailable, match="aa cannot be read"):
        await store.load()


async def test_a_server_that_is_gone_is_unavailable_for_every_call(own_valkey: Server) -> None:
    store = RedisKeyStore(RedisOptions(own_valkey.url))
    own_valkey.kill()
    calls = (
        store.version(),
        store.load(),
        store.change(0, [key(1)], [], ACT),
        store.mark_used(1, ["a"]),
        store.used(),
        store.record(ACT),
        store.audit("", 1),
    )
    for call in calls:
        with pytest.raises(BufferUnavailable):
            await call
    await store.close()
