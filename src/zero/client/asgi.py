"""ASGI middleware: one entry for each HTTP request, its ids on all that is logged while it lasts, and a flush at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, MutableMapping
from typing import Any, Callable

from zero.client import lifetime
from zero.client.context import bound
from zero.client.handler import exception_fields
from zero.client.request import Request
from zero.client.sender import Sender

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_CANCELLED = 499
"""The status of a request that was cancelled before its answer began, as proxies log it."""


class ZeroAsgiMiddleware:
    """``ZeroAsgiMiddleware(app, sender)``, or ``app.add_middleware(ZeroAsgiMiddleware, sender=sender)``."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], sender: Sender) -> None:
        self._app = app
        self._sender = sender

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; what the application raises goes on to the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status = _request(scope), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with bound(**request.bound):
            try:
                await self._app(scope, receive, noted)
            except Exception:
                request.log(self._sender, 500, exception_fields(sys.exc_info()))
                raise
            except BaseException:  # cancelled: the client is gone, or the server stops
                request.log(self._sender, status or _CANCELLED, cancelled=True)
                raise
            request.log(self._sender, status or 500)

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        """Flush before the server hears that the application has ended: a signal often ends the process right after that."""
        asked = False

        async def noted() -> Message:
            nonlocal asked
            asked = True
            return await receive()

        async def flushed(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._flush()
            await send(message)

        try:
            await self._app(scope, noted, flushed)
        except Exception:
            if asked:
                raise
        if not asked:  # an application that knows no lifespan: the end is for us alone
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await flushed({"type": "lifespan.shutdown.complete"})

    async def _flush(self) -> None:
        import asyncio

        try:
            await asyncio.to_thread(self._drain)
        except RuntimeError:  # another loop than asyncio's, or no more threads
            self._drain()

    def _drain(self) -> None:
        """Deliver what waits, here first, then in the other senders of this process."""
        until = time.monotonic() + self._sender.options.exit_seconds_max
        self._sender.drain()
        lifetime.drain(until - time.monotonic())


def _request(scope: Message) -> Request:
    wanted = (b"x-request-id", b"traceparent")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}
    client = scope.get("client")
    return Request(scope["method"], scope["path"], client[0] if client else "", headers)
