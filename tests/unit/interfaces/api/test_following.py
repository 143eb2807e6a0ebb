import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from zero.application.tail import Tail, TailOptions
from zero.infrastructure.system.clock import SystemClock
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.server import serve

pytestmark = pytest.mark.timed
OPTIONS = ApiOptions(tail_clients_max=2, tail_heartbeat_seconds=0.05, tail_send_seconds_max=0.3)


@asynccontextmanager
async def served(api, options: ApiOptions = OPTIONS) -> AsyncIterator[str]:
    """The api on a real socket, following every 10 ms."""
    services, tail_options = api.services, TailOptions(poll_seconds=0.01, load_max=1)
    tail = Tail(services.search, api.reader, SystemClock(), tail_options)
    fast = replace(services, tail=tail)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(fast, options, [sock], stop))
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            stop.set()
            await asyncio.wait_for(serving, 60)


class Stream:
    """Lines of a followed log."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.first = ""

    async def until(self, start: str) -> str:
        async with asyncio.timeout(60):
            async for line in self._lines:
                if line.startswith(start):
                    return line
        raise AssertionError(f"the stream ended before {start!r}")


@asynccontextmanager
async def following(
    url: str, path: str = "/api/logs/tail", last_event_id: str = "", first: str = ": still here"
) -> AsyncIterator[Stream]:
    """A stream that has shown the line that starts with ``first``."""
    headers = {"last-event-id": last_event_id}
    async with httpx.AsyncClient() as client, client.stream("GET", url + path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        await stream.until(": following")
        stream.first = await stream.until(first)
        yield stream


def later(api) -> float:
    """Seconds from the api's frozen time to the real one, which live tails go by."""
    return SystemClock().now_ns() / 1e9 - api.clock.now_ns() / 1e9


async def test_logs_come_as_events_while_they_arrive(api) -> None:
    async with served(api) as url, following(url, "/api/logs/tail?q=wanted") as stream:
        api.store("other", later(api), 1)
        stored = api.store("wanted\nline", later(api), 2)
        assert await stream.until("id:") == f"id: {stored.id}"
        assert json.loads((await stream.until("data:"))[5:])["message"] == "wanted\nline"


async def test_a_quiet_log_still_shows_signs_of_life(api) -> None:
    async with served(api) as url, following(url) as stream:
        await stream.until(": still here")


async def test_a_client_that_returns_with_its_last_id_misses_nothing(api) -> None:
    seen = api.store("seen", later(api) - 5)
    missed = api.store("missed", later(api) - 4)
    async with served(api) as url, following(url, last_event_id=seen.id, first="id:") as stream:
        assert stream.first == f"id: {missed.id}"


async def test_more_clients_than_allowed_are_told_to_wait_and_a_leaving_one_makes_room(api) -> None:
    async with served(api) as url, httpx.AsyncClient() as client, following(url):
        async with following(url):
            answer = await client.get(f"{url}/api/logs/tail")
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
        async with asyncio.timeout(60):
            while True:
                async with client.stream("GET", f"{url}/api/logs/tail") as answer:
                    if answer.status_code == 200:
                        break
                await asyncio.sleep(0.02)


async def test_a_failing_store_ends_the_stream_with_its_reason(api) -> None:
    from zero.domain.errors import StoreUnavailable

    async with served(api) as url, following(url) as stream:
        api.reader.failure = StoreUnavailable("the store is away")
        await stream.until("event: problem")
        assert "the store is away" in await stream.until("data:")


async def test_a_client_that_does_not_read_is_dropped(api) -> None:
    async with served(api) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(b"GET /api/logs/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b": following\n\n")
        async with httpx.AsyncClient() as client, following(url):
            for number in range(200):
                api.store("x" * 200_000, later(api), number)
            async with asyncio.timeout(60):
                while True:
                    async with client.stream("GET", f"{url}/api/logs/tail") as answer:
                        if answer.status_code == 200:
                            break
                    await asyncio.sleep(0.05)
        writer.close()


async def test_stopping_the_api_ends_live_tails_at_once(api) -> None:
    began = asyncio.get_running_loop().time()
    async with served(api) as url, httpx.AsyncClient() as client, client.stream("GET", f"{url}/api/logs/tail") as answer:
        await Stream(answer).until(": following")
    assert asyncio.get_running_loop().time() - began < 30


async def test_a_mistake_is_an_answer_and_not_an_event(api) -> None:
    answer = await api.client.get("/api/logs/tail?q=(")
    assert (answer.status_code, answer.json()["error"]["position"]) == (400, 1)
