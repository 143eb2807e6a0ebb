"""How full the buffer is, is looked at while it is refused, too."""

import asyncio
import time

import pytest

from zero.domain.errors import Overloaded
from zero.infrastructure.redis.gauge import Gauge
from zero.infrastructure.redis.options import RedisOptions

LIMIT = 100_000_000


class Server:
    """A link to a server that says how full it is."""

    open = True

    def __init__(self, used: int) -> None:
        self.used = used
        self.asked = 0

    def call(self, parts: object, replies: int) -> "asyncio.Future[list[bytes]]":
        self.asked += 1
        answer: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        answer.set_result([f"used_memory:{self.used}\r\nmaxmemory:{LIMIT}\r\n".encode()])
        return answer


async def refused(gauge: Gauge) -> bool:
    await asyncio.sleep(0)
    try:
        gauge.admit(1000)
    except Overloaded:
        return True
    return False


async def taken(gauge: Gauge, seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while await refused(gauge):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True


@pytest.mark.parametrize("out_of_memory", [False, True])
async def test_after_a_full_buffer_was_emptied_the_first_append_is_taken(out_of_memory: bool) -> None:
    gauge, server = Gauge(RedisOptions("redis://nowhere")), Server(LIMIT)
    if out_of_memory:
        gauge.out_of_memory(server)  # type: ignore[arg-type]
    else:
        gauge.refresh(server, asyncio.get_running_loop().time())  # type: ignore[arg-type]
    assert await refused(gauge)
    server.used = LIMIT // 10
    assert await taken(gauge)  # nobody has appended, so nobody else has asked


async def test_a_connection_that_is_closed_is_asked_no_more() -> None:
    gauge, server = Gauge(RedisOptions("redis://nowhere")), Server(LIMIT)
    gauge.refresh(server, asyncio.get_running_loop().time())  # type: ignore[arg-type]
    assert await refused(gauge)
    server.open = False
    asked = server.asked
    await asyncio.sleep(0.6)
    assert server.asked <= asked + 1
