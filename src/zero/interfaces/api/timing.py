"""How long answers take, by door."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zero.application.ports import Telemetry
from zero.interfaces.api.events import RequestAnswered
from zero.interfaces.api.following import TAIL_PATH


class Timing:
    """ASGI middleware; the outermost, so that refusals count too."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and report it when it is over."""
        if scope["type"] != "http" or scope["path"] == TAIL_PATH:
            await self._app(scope, receive, send)
            return
        status, began = "left", time.monotonic()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            door = getattr(scope.get("route"), "path", "other")
            self._telemetry.emit(RequestAnswered(door, status, time.monotonic() - began))
