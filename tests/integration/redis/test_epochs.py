"""No two processes that live make the same batch id, whatever becomes of the buffer that counts them."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.servers import Server, plain_valkey
from tests.patience import READY_SECONDS_MAX
from zero.application.identity import anyone
from zero.application.ingest import Ingest, future_waiter
from zero.application.ports import Decoded
from zero.application.submission import Submission
from zero.domain.batch_id import EPOCHS
from zero.domain.errors import BufferUnavailable
from zero.infrastructure.memory import ManualClock, MemoryCodec, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions
from zero.infrastructure.redis.keys import process_epoch_key

Start = Callable[[str, str], "Process"]


class Process:
    """An ingest with a connection, a clock and ids of its own."""

    def __init__(self, url: str, namespace: str) -> None:
        self.buffer = RedisBuffer(RedisOptions(url, namespace=namespace, timeout_seconds=2.0))
        self.clock = ManualClock()
        self.ingest = Ingest(MemoryCodec(), self.buffer, self.clock, MemoryTelemetry())

    async def next_id(self) -> int:
        """Return the batch id of a request, sent until it is taken."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            waiter, future = future_waiter()
            self.ingest.accept(Submission(b"a", lambda body, *_: Decoded(body, 1, 0, []), "peer", waiter, anyone()))
            try:
                return (await future).batch_id
            except BufferUnavailable:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.ingest.close()
        await self.buffer.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start ingests that are closed in the end."""
    started: list[Process] = []

    def process(url: str, namespace: str = "zero") -> Process:
        started.append(Process(url, namespace))
        return started[-1]

    yield process
    for one in started:
        await one.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = plain_valkey(tmp_path / "server").start()
    yield server
    server.close()


def epoch(identity: int) -> int:
    return identity >> 8 & EPOCHS - 1


@pytest.mark.parametrize("known", ["nothing", "all but the last process"])
async def test_ids_differ_when_a_buffer_that_forgot_takes_the_place_of_the_one_that_counted(
    server: Server, tmp_path: Path, start: Start, known: str
) -> None:
    files, copy = tmp_path / "server" / "appendonlydir", tmp_path / "copy"
    await start(server.url).next_id()
    shutil.copytree(files, copy)  # what a replica has whose primary dies before it hears of the next process
    living = start(server.url)
    await living.next_id()
    server.kill()
    shutil.rmtree(files)
    if known != "nothing":
        shutil.copytree(copy, files)
    server.start()
    later = [start(server.url), start(server.url)]
    for process in (living, *later):
        process.clock.advance(10.0)  # past what was given before: from here on the epoch alone tells them apart
    ids = [await later[0].next_id(), await living.next_id(), await later[1].next_id()]
    assert len({epoch(identity) for identity in ids}) == 3
    with redis.Redis.from_url(server.url) as client:
        counted = client.get(process_epoch_key("zero"))
    assert isinstance(counted, bytes)
    assert int(counted) > 1_700_000_000_000, "an empty buffer counts on elsewhere than the one before it"


async def test_a_buffer_that_comes_back_with_its_data_knows_the_process_by_its_epoch(server: Server, start: Start) -> None:
    living = start(server.url)
    before = await living.next_id()
    server.kill()
    server.start()
    assert epoch(await living.next_id()) == epoch(before)


async def test_a_counter_that_comes_round_gives_no_epoch_that_is_in_use(redis_url: str, namespace: str, start: Start) -> None:
    living = await start(redis_url, namespace).next_id()
    with redis.Redis.from_url(redis_url) as client:
        client.incrby(process_epoch_key(namespace), EPOCHS - 1)
    later = await start(redis_url, namespace).next_id()
    assert epoch(later) == (epoch(living) + 1) % EPOCHS
