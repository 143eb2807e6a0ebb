"""A search whose client leaves is given up; a change, and an answer that somebody waits for, are not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from zero.interfaces.api.leaving import Leaving

SECONDS_MAX = 20


class Client:
    """Sends a request, and leaves when told to."""

    def __init__(self, *body: bytes) -> None:
        self.messages = [
            {"type": "http.request", "body": part, "more_body": at + 1 < len(body)} for at, part in enumerate(body)
        ]
        self.leave = asyncio.Event()
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        if self.messages:
            return self.messages.pop(0)
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


class App:
    """Reads the body, then works until it is told to answer."""

    def __init__(self) -> None:
        self.working, self.answer, self.cancelled = asyncio.Event(), asyncio.Event(), False
        self.body = b""

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        self.working.set()
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await send({"type": "answer"})


async def ask(app: App, client: Client, method: str, path: str) -> "asyncio.Task[None]":
    scope = {"type": "http", "method": method, "path": path}
    asking = asyncio.create_task(Leaving(app)(scope, client.receive, client.send))
    async with asyncio.timeout(SECONDS_MAX):
        await app.working.wait()
    return asking


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/histogram"), ("POST", "/api/logs/search")])
async def test_a_search_ends_when_its_client_leaves(method: str, path: str) -> None:
    app, client = App(), Client(b"{", b"}")
    if method == "GET":
        client = Client(b"")
    asking = await ask(app, client, method, path)
    client.leave.set()
    async with asyncio.timeout(SECONDS_MAX):
        await asking
    assert app.cancelled
    assert client.sent == []
    assert app.body == (b"{}" if method == "POST" else b"")


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/keys"), ("DELETE", "/api/keys/x"), ("GET", "/api/logs/tail")])
async def test_a_change_is_finished_and_a_tail_looks_after_itself(method: str, path: str) -> None:
    app, client = App(), Client(b"")
    asking = await ask(app, client, method, path)
    client.leave.set()
    await asyncio.sleep(0)
    app.answer.set()
    async with asyncio.timeout(SECONDS_MAX):
        await asking
    assert not app.cancelled


async def test_who_waits_is_answered_and_who_stops_the_server_is_heard() -> None:
    app, client = App(), Client(b"")
    asking = await ask(app, client, "GET", "/api/logs")
    app.answer.set()
    await asking
    assert client.sent == [{"type": "answer"}]
    app = App()
    asking = await ask(app, Client(b""), "GET", "/api/logs")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
