"""Accepting syslog connections over TLS, with a bound on those that have not shaken hands yet."""

import asyncio
import socket
import ssl

from zero.application.background import end
from zero.interfaces.ingest_syslog.events import SyslogClosed
from zero.interfaces.ingest_syslog.stream import Stream
from zero.interfaces.ingest_syslog.streams import Streams

_PAUSE_SECONDS = 0.1  # when the process has no descriptors left


async def accept_tls(streams: Streams, listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Accept until cancelled. When too many handshakes are under way the oldest goes: those of honest senders are soon over."""
    tls.num_tickets = 0  # they would lie unread at senders that look for the end of the connection before they send
    loop = asyncio.get_running_loop()
    underway: dict[asyncio.Task[None], None] = {}
    try:
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptors left, or the peer has gone already
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            task = loop.create_task(_shake_hands(streams, sock, tls))
            underway[task] = None
            task.add_done_callback(lambda done: underway.pop(done, None))
            if len(underway) > streams.options.handshakes_max:
                oldest = next(iter(underway))
                del underway[oldest]
                oldest.cancel()
    finally:
        await end(*underway)
        listener.close()


async def _shake_hands(streams: Streams, sock: socket.socket, tls: ssl.SSLContext) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Stream(streams, "tls"),
            sock,
            ssl=tls,
            ssl_handshake_timeout=streams.options.handshake_timeout_seconds,
            ssl_shutdown_timeout=streams.options.linger_seconds,
        )
    except OSError:  # as ssl.SSLError is: whoever connects can bring those about
        _end(streams, sock, "tls")
    except asyncio.CancelledError:
        _end(streams, sock, "too_many")
        raise


def _end(streams: Streams, sock: socket.socket, reason: str) -> None:
    sock.close()
    streams.services.telemetry.emit(SyslogClosed("stop" if streams.stopping else reason))
