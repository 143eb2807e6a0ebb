"""Serving the api until told to stop."""

import asyncio
import socket
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from zero.interfaces.api.app import create_app
from zero.interfaces.api.connection import BoundedConnection, Crowd
from zero.interfaces.api.following import Followers
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.services import ApiServices

BUSY_CONNECTIONS = 64
"""Room for those that come while all others are busy, so that they can be told so."""


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
        log_level="error",  # what is no HTTP is refused, and no line in the log: whoever connects could fill that
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=options.connections_max + BUSY_CONNECTIONS,
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_graceful_shutdown=max(1, round(options.stop_seconds_max)),
    )
    server = _Server(config, options)
    serving = asyncio.create_task(server.serve(sockets=list(sockets)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    followers.stop()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """uvicorn's, with the bounds of the api on each connection. Signals belong to the process that starts roles."""

    def __init__(self, config: uvicorn.Config, options: ApiOptions) -> None:
        super().__init__(config)
        self._options = options

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets."""
        loop, crowd = asyncio.get_running_loop(), Crowd(self._options.connections_max)

        def connection() -> BoundedConnection:
            return BoundedConnection(self._options, crowd, config=self.config, server_state=self.server_state, app_state={})

        handshake: dict[str, Any] = {"ssl_handshake_timeout": self._options.handshake_seconds_max} if self.config.ssl else {}
        self.servers = [
            await loop.create_server(connection, sock=sock, ssl=self.config.ssl, backlog=self.config.backlog, **handshake)
            for sock in sockets or ()
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield
