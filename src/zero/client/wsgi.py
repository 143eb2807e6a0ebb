"""WSGI middleware: one entry for each request, and the request's ids on all that is logged while it lasts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Callable

from zero.client.context import bound
from zero.client.handler import exception_fields
from zero.client.request import Request
from zero.client.sender import Sender

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ZeroWsgiMiddleware:
    """``ZeroWsgiMiddleware(app, sender)``: a WSGI application around another."""

    def __init__(self, app: App, sender: Sender) -> None:
        self._app = app
        self._sender = sender

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on; it ends when the server closes the body, or when the application raises."""
        headers = {"x-request-id": environ.get("HTTP_X_REQUEST_ID", ""), "traceparent": environ.get("HTTP_TRACEPARENT", "")}
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        request = Request(environ.get("REQUEST_METHOD", ""), path, environ.get("REMOTE_ADDR", ""), headers)
        status = [500]

        def noted(line: str, *rest: Any) -> Any:
            code = line[:3]
            status[0] = int(code) if code.isdigit() else 500
            return start_response(line, *rest)

        stack = ExitStack()
        stack.enter_context(bound(**request.bound))
        try:
            body = self._app(environ, noted)
        except Exception:
            request.log(self._sender, 500, exception_fields(sys.exc_info()))
            stack.close()
            raise
        return _Body(body, request, self._sender, status, stack)


class _Body:
    """The body of an application, which tells when it is over."""

    def __init__(self, body: Iterable[bytes], request: Request, sender: Sender, status: list[int], stack: ExitStack) -> None:
        self._body = body
        self._request = request
        self._sender = sender
        self._status = status
        self._stack = stack
        self._failure: Any = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception:
            self._failure = exception_fields(sys.exc_info())
            raise

    def close(self) -> None:
        """Log the request, and close what the application returned."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._request.log(self._sender, 500 if self._failure else self._status[0], self._failure)
            self._stack.close()
