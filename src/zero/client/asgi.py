"""ASGI middleware: one entry for each HTTP request, and the request's ids on all that is logged while it lasts."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, MutableMapping
from typing import Any, Callable

from zero.client.context import bound
from zero.client.handler import exception_fields
from zero.client.request import Request
from zero.client.sender import Sender

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ZeroAsgiMiddleware:
    """``ZeroAsgiMiddleware(app, sender)``, or ``app.add_middleware(ZeroAsgiMiddleware, sender=sender)``."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], sender: Sender) -> None:
        self._app = app
        self._sender = sender

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on; what the application raises goes on to the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status = _request(scope), 500

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
            request.log(self._sender, status)


def _request(scope: Message) -> Request:
    wanted = (b"x-request-id", b"traceparent")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}
    client = scope.get("client")
    return Request(scope["method"], scope["path"], client[0] if client else "", headers)
