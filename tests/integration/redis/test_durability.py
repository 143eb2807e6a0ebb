"""``durable`` is said only of a server that fsyncs before it replies."""

from pathlib import Path

import pytest
import redis

from tests.integration.servers import Server, debian_redis
from zero.application.ports import Durability
from zero.infrastructure.redis import RedisBuffer, RedisOptions


async def durability(url: str) -> Durability:
    buffer = RedisBuffer(RedisOptions(url, timeout_seconds=2.0))
    promise = await buffer.durability()
    await buffer.close()
    return promise


async def test_the_embedded_server_is_durable(redis_url: str) -> None:
    assert await durability(redis_url) == Durability("durable", "appendonly yes, appendfsync always")


@pytest.mark.parametrize(("setting", "value"), [("appendfsync", "everysec"), ("appendonly", "no")])
async def test_weaker_settings_are_relaxed_and_named(tmp_path: Path, setting: str, value: str) -> None:
    server = debian_redis(tmp_path).start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set(setting, value)
    promise = await durability(server.url)
    server.close()
    assert promise.mode == "relaxed"
    assert f"{setting} {value}" in promise.detail


async def test_a_server_that_does_not_tell_is_relaxed(tmp_path: Path) -> None:
    server: Server = debian_redis(tmp_path).start()
    with redis.Redis.from_url(server.url) as client:
        client.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"], commands=["-config"])
    promise = await durability(server.url.replace("unix://", "unix://app:secret@"))
    server.close()
    assert promise.mode == "relaxed"
    assert "cannot be checked" in promise.detail
