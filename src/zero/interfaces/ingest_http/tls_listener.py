"""Accepting connections over TLS: they count from the first packet on, also while they shake hands."""

import asyncio
import socket
import ssl

from zero.domain.address import peer_host
from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.events import ConnectionClosed
from zero.interfaces.ingest_http.greeting import Greeting

_PAUSE_SECONDS = 0.1  # when the process has no descriptors left


class Handshake:
    """A connection that is not secured yet."""

    def __init__(self, connections: Connections, sock: socket.socket, source: str) -> None:
        self._connections = connections
        self._sock = sock
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._reason = "stop"

    def start(self, tls: ssl.SSLContext, underway: "dict[Handshake, None]") -> None:
        """Shake hands, unless there are too many connections: a word of why would need the handshake first."""
        if self._connections.add(self, self._source):
            self._end("too_many")
            return
        self._task = asyncio.get_running_loop().create_task(self._shake(tls))
        self._task.add_done_callback(lambda task: self._done(task, underway))
        underway[self] = None
        if len(underway) > self._connections.options.handshakes_max:
            oldest = next(iter(underway))
            del underway[oldest]
            oldest.abort("too_many")

    def check(self, now: float) -> None:
        """Leave the time to the handshake itself, which has the time of a head."""

    def stop(self) -> None:
        """Close: nothing has begun."""
        self.abort("stop")

    def abort(self, reason: str) -> None:
        """Close without any word."""
        self._reason = reason
        if self._task is not None:
            self._task.cancel()

    async def _shake(self, tls: ssl.SSLContext) -> None:
        options = self._connections.options
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Greeting(self._connections, self),
            self._sock,
            ssl=tls,
            ssl_handshake_timeout=options.head_timeout_seconds,
            ssl_shutdown_timeout=options.linger_seconds,
        )

    def _done(self, task: "asyncio.Task[None]", underway: "dict[Handshake, None]") -> None:
        underway.pop(self, None)
        if task.cancelled():
            self._end(self._reason)
        elif error := task.exception():
            self._end("tls")
            if not isinstance(error, OSError):  # as ssl.SSLError is: whoever connects can bring those about
                raise error

    def _end(self, reason: str) -> None:
        self._sock.close()
        self._connections.remove(self, self._source)
        self._connections.telemetry.emit(ConnectionClosed(reason))


async def accept_tls(connections: Connections, listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Accept for ever. When too many handshakes are under way the oldest goes: those of honest clients are soon over."""
    loop = asyncio.get_running_loop()
    underway: dict[Handshake, None] = {}
    while True:
        try:
            sock, address = await loop.sock_accept(listener)
        except OSError:  # no descriptors left, or the peer has gone already
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Handshake(connections, sock, peer_host(address)).start(tls, underway)
