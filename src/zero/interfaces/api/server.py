"""Serving the api until told to stop."""

import asyncio
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import uvicorn

from zero.interfaces.api.app import create_app
from zero.interfaces.api.following import Followers
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.services import ApiServices


async def serve(
    services: ApiServices,
    options: ApiOptions,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Answer on listening sockets until ``stop`` is set; then end live tails, finish what is running, and return."""
    followers = Followers(options.tail_clients_max)
    config = uvicorn.Config(
        create_app(services, options, followers),
        http="httptools",
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=options.connections_max,
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_graceful_shutdown=max(1, round(options.stop_seconds_max)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=list(sockets)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    followers.stop()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """Signals belong to the process that starts roles, not to the server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield
