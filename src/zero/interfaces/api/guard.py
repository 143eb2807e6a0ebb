"""What holds for every request: known hosts, bounded bodies, and headers that keep a browser careful."""

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zero.domain.address import is_this_machine
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.shapes import problem

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware. No CORS header is ever sent: pages of other origins cannot read an answer."""

    def __init__(self, app: ASGIApp, options: ApiOptions) -> None:
        self._app = app
        self._options = options
        self._local_only = is_this_machine(options.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answered.setdefault(name, value)
            await send(message)

        if self._local_only and not is_this_machine(_host_name(headers.get("host", ""))):
            # A name that points here from elsewhere is how a web page would reach a local server (DNS rebinding).
            refusal = problem(403, "host_not_allowed", "this api answers only for localhost; set ZERO_API to listen elsewhere")
            await refusal(scope, receive, send_with_headers)
            return
        body = _Body(receive, self._options.body_bytes_max)
        if body.declared_too_large(headers.get("content-length", "")):
            await problem(413, "too_large", body.refusal)(scope, receive, send_with_headers)
            return
        await self._app(scope, body.receive, send_with_headers)


class _Body:
    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._read = 0
        self.refusal = f"the body is larger than {bytes_max} bytes"

    def declared_too_large(self, content_length: str) -> bool:
        return content_length.isdecimal() and int(content_length) > self._bytes_max

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._bytes_max:
            raise HTTPException(413, self.refusal)
        return message


def _host_name(host: str) -> str:
    """Return the host of a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host
