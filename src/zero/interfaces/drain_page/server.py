"""``/health``, ``/ready`` and ``/metrics`` of a drain: one request a connection, enough for probes and Prometheus."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from zero.application.credentials import credential_in
from zero.application.drain import DrainState
from zero.application.key_ring import KeyRing
from zero.domain.errors import Forbidden, Unauthenticated, ZeroError
from zero.domain.key import KeyScope

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_JSON_TYPE = "application/json"
Answer = tuple[int, str, bytes]
"""Status, media type and body."""


@dataclass(frozen=True, slots=True)
class DrainPageOptions:
    """Bounds of the page: of a head, of connections at a time, and of the whole of one."""

    head_bytes_max: int = 8 * 1024
    connections_max: int = 32
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class DrainPageServices:
    """What is shown: ``states`` maps a shard to what it does and its last error ('' for none)."""

    ready: Callable[[], bool]
    states: Callable[[], Mapping[int, tuple[DrainState, str]]]
    metrics: Callable[[], bytes]
    keys: KeyRing


class DrainPage:
    """Answers one request a connection."""

    def __init__(self, services: DrainPageServices, options: DrainPageOptions | None = None) -> None:
        self._services = services
        self._options = options or DrainPageOptions()
        self._connections = 0

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Server:
        """Return the server, listening. Raises OSError."""
        handshake = self._options.timeout_seconds if tls else None
        limit = self._options.head_bytes_max
        return await asyncio.start_server(self._connected, host, port, limit=limit, ssl=tls, ssl_handshake_timeout=handshake)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= self._options.connections_max:
                async with asyncio.timeout(self._options.timeout_seconds):
                    await self._exchange(reader, writer)
        except (OSError, TimeoutError):
            pass  # the client is gone, or too slow
        finally:
            self._connections -= 1
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._options.timeout_seconds):
                    await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            answer = _error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large")
        except asyncio.IncompleteReadError:
            return
        else:
            answer = self._answer(head.decode("latin-1"))
        status, media, body = answer
        again = "Retry-After: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
        line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {media}\r\n{again}"
        writer.write(f"{line}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()

    def _answer(self, head: str) -> Answer:
        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path not in ("/health", "/ready", "/metrics"):
            return _error(HTTPStatus.NOT_FOUND, "there are /health, /ready and /metrics")
        if method != "GET":
            return _error(HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered")
        if path == "/health":
            return HTTPStatus.OK, _JSON_TYPE, b'{"status":"alive"}'
        return self._ready() if path == "/ready" else self._metrics(lines)

    def _ready(self) -> Answer:
        ready = self._services.ready()
        shards = {
            str(shard): {"state": state.value, "error": error} for shard, (state, error) in self._services.states().items()
        }
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON_TYPE, json.dumps({"ready": ready, "shards": shards}).encode()

    def _metrics(self, lines: list[str]) -> Answer:
        """Give the metrics; where other machines can reach the page, to those with a key."""
        if self._services.keys.exposed:
            fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            try:
                self._services.keys.authorise(credential_in(lambda name: fields.get(name, "")), KeyScope.QUERY, KeyScope.ADMIN)
            except Unauthenticated as error:
                return _error(HTTPStatus.UNAUTHORIZED, error.message)
            except Forbidden as error:
                return _error(HTTPStatus.FORBIDDEN, error.message)
            except ZeroError as error:
                return _error(HTTPStatus.SERVICE_UNAVAILABLE, error.message)
        return HTTPStatus.OK, _METRICS_TYPE, self._services.metrics()


def _error(status: HTTPStatus, message: str) -> Answer:
    return status, _JSON_TYPE, json.dumps({"error": {"code": status.name.lower(), "message": message}}).encode()
