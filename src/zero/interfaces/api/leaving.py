"""A search is cancelled when its client disconnects: nobody waits for its answer."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zero.interfaces.api.following import TAIL_PATH


class Leaving:
    """ASGI middleware. It cancels requests that only read; those that change something are finished, and a tail ends itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, until it is answered or its client has left."""
        if scope["type"] != "http" or scope["path"] == TAIL_PATH or not _only_reads(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        client = _Client(receive)
        if scope["method"] != "POST":
            await client.listen()
        working = asyncio.ensure_future(self._app(scope, client.receive, client.answering(send)))
        leaving = asyncio.create_task(client.leaves())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if client.left:
                working.cancel()
            await asyncio.wait((working,))
        finally:
            leaving.cancel()
            working.cancel()
        if not working.cancelled():
            working.result()


class _Client:
    """Hands the body on, and listens behind its end, where only the client's disconnect can come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._whole = asyncio.Event()
        self._gone = asyncio.Event()
        self._answered = False
        self.left = False

    async def listen(self) -> None:
        """Receive the first message in advance: handlers of requests without a body never ask for it."""
        self._first = await self._next()

    async def receive(self) -> Message:
        if self._first is not None:
            message, self._first = self._first, None
            return message
        if self._whole.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        return await self._next()

    async def leaves(self) -> None:
        """Return when the client has left, or has its answer."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = not self._answered
        self._gone.set()

    def answering(self, send: Send) -> Send:
        """Return a ``send`` that notes the end of the answer: what the server then calls a disconnect is none."""

        async def answer(message: Message) -> None:
            self._answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        return answer

    async def _next(self) -> Message:
        message = await self._receive()
        if not message.get("more_body", False):
            self._whole.set()
        return message


def _only_reads(method: str, path: str) -> bool:
    return method in ("GET", "HEAD") or (method == "POST" and path.endswith("/search"))
