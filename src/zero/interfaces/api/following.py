"""``/api/logs/tail``: logs as server-sent events while they arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from zero.application.identity import Identity
from zero.application.tail import Arrivals
from zero.domain.errors import Overloaded, Unauthenticated, ZeroError
from zero.interfaces.api.access import Reader
from zero.interfaces.api.logs import RESPONSES, Filters
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.shapes import log_shape, to_json

TAIL_PATH = "/api/logs/tail"
RETRY_MS = 2000


class TailFilters(Filters):
    """A search that is followed: what matters is the time of arrival, so ``from`` and ``to`` are rarely wanted."""

    after: str | None = None


class Followers:
    """Counts those who follow, and ends them all when the api stops."""

    def __init__(self, clients_max: int) -> None:
        self._clients_max = clients_max
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many follow now."""
        return len(self._tasks)

    def check_room(self) -> None:
        """Raise Overloaded when nobody more may follow."""
        if len(self._tasks) >= self._clients_max:
            raise Overloaded(f"{self._clients_max} clients follow the log already", retry_after_seconds=5)

    async def run(self, task: "asyncio.Task[None]") -> None:
        """Wait for a follower's task to end, however it ends."""
        self._tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            task.cancel()
            self._tasks.discard(task)

    def stop(self) -> None:
        """End everybody's stream."""
        for task in self._tasks:
            task.cancel()


class EventStream(Response):
    """A stream of events that ends when the client leaves, or does not take a chunk in time."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[str], followers: Followers, send_seconds_max: float) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._followers = followers
        self._send_seconds_max = send_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until somebody ends it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_until_disconnect(receive))
        leaving.add_done_callback(lambda _: sending.cancel())
        try:
            await self._followers.run(sending)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._send_seconds_max):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                try:
                    async with asyncio.timeout(self._send_seconds_max):
                        await send({"type": "http.response.body", "body": chunk.encode(), "more_body": True})
                except TimeoutError:
                    return


def following_router(services: ApiServices, options: ApiOptions, followers: Followers) -> APIRouter:
    """Return the tail door."""
    router = APIRouter(prefix="/api", tags=["search"], responses={**RESPONSES, 200: {"content": {"text/event-stream": {}}}})

    @router.get("/logs/tail", response_class=EventStream, status_code=200)
    async def follow_logs(
        reader: Reader,
        filters: Annotated[TailFilters, Query()],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventStream:
        """Follow the log: event ``log`` for each entry, ``gap`` when there were too many, ``problem`` before it ends."""
        followers.check_room()
        arrivals = services.tail.follow(filters.request(reader.tenant), filters.after or last_event_id)
        events = _events(reader, arrivals, options.tail_heartbeat_seconds)
        return EventStream(events, followers, options.tail_send_seconds_max)

    return router


async def _events(reader: Identity, arrivals: AsyncGenerator[Arrivals], heartbeat_seconds: float) -> AsyncGenerator[str]:
    yield f"retry: {RETRY_MS}\n: following\n\n"
    sent_at = time.monotonic()
    try:
        async with aclosing(arrivals):
            async for arrived in arrivals:
                if reader.ended:
                    raise Unauthenticated(reader.ended)
                chunk = _chunk(arrived)
                if not chunk and time.monotonic() - sent_at < heartbeat_seconds:
                    continue
                sent_at = time.monotonic()
                yield chunk or ": still here\n\n"
    except ZeroError as error:
        yield f"event: problem\ndata: {to_json({'code': error.code, 'message': error.message})}\n\n"


def _chunk(arrived: Arrivals) -> str:
    events = [f"event: log\nid: {stored.id}\ndata: {to_json(log_shape(stored))}\n\n" for stored in arrived.entries]
    if arrived.gap:
        events.insert(0, 'event: gap\ndata: {"message":"more logs arrived than can be followed; narrow the query"}\n\n')
    return "".join(events)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
