"""The beginning of a connection: the bytes, or the agreement of TLS, that say the protocol version. Then it belongs to that."""

import asyncio
from typing import cast

from zero.domain.address import peer_host
from zero.interfaces.ingest_http.connections import Connection, Connections
from zero.interfaces.ingest_http.events import ConnectionClosed
from zero.interfaces.ingest_http.http1 import Http1Connection
from zero.interfaces.ingest_http.http2.connection import Http2Connection
from zero.interfaces.ingest_http.http2.frames import PREFACE


class Greeting(asyncio.Protocol):
    """A connection that has not said yet what it speaks. It takes the place of ``instead_of``, its own handshake."""

    def __init__(self, connections: Connections, instead_of: Connection | None = None) -> None:
        self._connections = connections
        self._instead_of = instead_of
        self._transport: asyncio.Transport | None = None
        self._begun = b""
        self._since = connections.now
        self._reason = "client"
        self._source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        self._source = peer_host(transport.get_extra_info("peername"))
        if self._instead_of is not None:
            self._connections.remove(self._instead_of, self._source)
        refused = self._connections.add(self, self._source)
        tls = transport.get_extra_info("ssl_object")
        agreed = tls.selected_alpn_protocol() if tls else None
        if agreed == "h2":
            self._hand_over(Http2Connection(self._connections))
        elif agreed == "http/1.1" or refused:
            self._hand_over(Http1Connection(self._connections))  # which says why not

    def data_received(self, data: bytes) -> None:
        data = self._begun + data
        if data.startswith(PREFACE):
            self._hand_over(Http2Connection(self._connections), data)
        elif PREFACE.startswith(data):
            if not self._begun:
                self._since = self._connections.now
            self._begun = data
        else:
            self._hand_over(Http1Connection(self._connections), data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._connections.remove(self, self._source)
        self._connections.telemetry.emit(ConnectionClosed(self._reason))

    def check(self, now: float) -> None:
        """Close what stays silent, or begins and does not go on; the sweep calls this about once a second."""
        options = self._connections.options
        limit = options.head_timeout_seconds if self._begun else options.idle_timeout_seconds
        if now - self._since > limit:
            self.abort("slow_head" if self._begun else "idle")

    def stop(self) -> None:
        """Close: nothing has begun."""
        self.abort("stop")

    def abort(self, reason: str) -> None:
        """Close without any word."""
        self._reason = reason
        if self._transport:
            self._transport.abort()

    def _hand_over(self, protocol: Http1Connection | Http2Connection, data: bytes = b"") -> None:
        transport, self._transport = self._transport, None
        self._connections.remove(self, self._source)
        if transport is None:
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if data:
            protocol.data_received(data)
