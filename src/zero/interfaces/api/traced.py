"""Requests to the api as spans."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zero.application.ports import Tracer
from zero.application.tracing import within
from zero.interfaces.api.following import TAIL_PATH


class Traced:
    """ASGI middleware; what the request asks of the store are parts of its span."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within a span if it is to be traced."""
        span = None
        if scope["type"] == "http" and scope["path"].startswith("/api/") and scope["path"] != TAIL_PATH:
            span = self._tracer.begin("api", Headers(scope=scope).get("traceparent", ""), serves=True)
        if span is None:
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.note("http.response.status_code", message["status"])
            await send(message)

        with within(span):
            try:
                await self._app(scope, receive, answer)
            finally:
                span.note("http.request.method", scope["method"])
                span.note("http.route", getattr(scope.get("route"), "path", "other"))
