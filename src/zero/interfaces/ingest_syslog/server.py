"""Serving syslog on ports that one process per core can share."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from zero.interfaces.ingest_syslog.datagrams import Datagrams
from zero.interfaces.ingest_syslog.delivery import SyslogServices
from zero.interfaces.ingest_syslog.options import SyslogOptions
from zero.interfaces.ingest_syslog.streams import Stream, Streams

BACKLOG = 1_024


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket: ``tcp``, ``tls`` (with its context) or ``udp``."""

    transport: str
    sock: socket.socket
    tls: ssl.SSLContext | None = None


def bind(transport: str, host: str, port: int, options: SyslogOptions) -> socket.socket:
    """Return a socket on a port that other processes of ours may share. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
    try:
        if transport == "udp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer_bytes)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        if transport != "udp":
            sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


async def serve(services: SyslogServices, options: SyslogOptions, listeners: Sequence[Listener], stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; then deliver what was received within the stop timeout."""
    loop = asyncio.get_running_loop()
    streams = Streams(services, options)
    datagrams: list[Datagrams] = []
    closing: list[asyncio.AbstractServer | asyncio.BaseTransport] = []
    for listener in listeners:
        if listener.transport == "udp":
            transport, protocol = await loop.create_datagram_endpoint(lambda: Datagrams(services, options), sock=listener.sock)
            datagrams.append(protocol)
            closing.append(transport)
        else:
            closing.append(await _listen(streams, listener))
    sweeping = loop.create_task(_sweep(streams, datagrams))
    try:
        await stop.wait()
    finally:
        for one in closing:
            one.close()
        await asyncio.gather(streams.stop(), *(protocol.stop() for protocol in datagrams))
        sweeping.cancel()
        await asyncio.wait([sweeping])


async def _listen(streams: Streams, listener: Listener) -> asyncio.AbstractServer:
    loop, timeout = asyncio.get_running_loop(), streams.options.handshake_timeout_seconds
    handshake = None if listener.tls is None else timeout
    return await loop.create_server(
        lambda: Stream(streams, listener.transport),
        sock=listener.sock,
        backlog=BACKLOG,
        ssl=listener.tls,
        ssl_handshake_timeout=handshake,
    )


async def _sweep(streams: Streams, datagrams: Sequence[Datagrams]) -> None:
    sweeping = asyncio.ensure_future(streams.sweep())
    try:
        while True:
            await asyncio.sleep(streams.options.sweep_seconds)
            for protocol in datagrams:
                protocol.report()
    finally:
        sweeping.cancel()
