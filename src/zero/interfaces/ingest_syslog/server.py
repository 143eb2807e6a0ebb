"""Serving syslog on ports that one process per core can share."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from zero.application.background import end
from zero.interfaces.ingest_syslog.datagrams import Datagrams
from zero.interfaces.ingest_syslog.delivery import SyslogServices
from zero.interfaces.ingest_syslog.losses import Losses
from zero.interfaces.ingest_syslog.options import SyslogOptions
from zero.interfaces.ingest_syslog.stream import Stream
from zero.interfaces.ingest_syslog.streams import Streams
from zero.interfaces.ingest_syslog.tls_listener import accept_tls

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
    losses = Losses(services.telemetry)
    streams = Streams(services, options, losses)
    datagrams: list[Datagrams] = []
    sweeping = [asyncio.create_task(streams.sweep()), asyncio.create_task(_report(losses, datagrams, options))]
    try:
        async with AsyncExitStack() as stack:
            for listener in listeners:
                if listener.transport == "udp":
                    datagrams.append(await stack.enter_async_context(_receiving(services, options, losses, listener.sock)))
                else:
                    await stack.enter_async_context(_listening(streams, listener))
            await stop.wait()
    finally:
        await asyncio.gather(streams.stop(), *(protocol.stop() for protocol in datagrams))
        await end(*sweeping)
        losses.report()


@asynccontextmanager
async def _receiving(
    services: SyslogServices, options: SyslogOptions, losses: Losses, sock: socket.socket
) -> AsyncIterator[Datagrams]:
    """Receive datagrams while the block lasts, and at its end what the kernel has of them."""
    protocol = Datagrams(services, options, losses, sock)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=sock)
    try:
        yield protocol
    finally:
        protocol.read_the_rest()
        transport.close()


@asynccontextmanager
async def _listening(streams: Streams, listener: Listener) -> AsyncIterator[None]:
    """Accept streams while the block lasts."""
    loop = asyncio.get_running_loop()
    if listener.tls is not None:
        task = loop.create_task(accept_tls(streams, listener.sock, listener.tls))
        try:
            yield
        finally:
            await end(task)
        return
    server = await loop.create_server(lambda: Stream(streams, listener.transport), sock=listener.sock, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()


async def _report(losses: Losses, datagrams: Sequence[Datagrams], options: SyslogOptions) -> None:
    while True:
        await asyncio.sleep(options.sweep_seconds)
        for protocol in datagrams:
            protocol.report()
        losses.report()
