"""Starts and stops the server: lock, engine, socket, uvicorn, signals."""

import asyncio
import fcntl
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from zero.embedded.clickhouse.app import Application
from zero.embedded.clickhouse.engine import Engine
from zero.embedded.clickhouse.options import ServerOptions
from zero.embedded.clickhouse.refused_writes import await_space, set_aside_empty, watch
from zero.embedded.clickhouse.stale_marks import drop_stale_marks

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Protocol(HttpToolsProtocol):
    """Shows the transport to the application, so that it can cut a connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["zero.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _Server(uvicorn.Server):
    """Leaves signals to us (uvicorn would raise them again at the end, and the exit status would not be 0); says when ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def stop(self) -> None:
        """Stop accepting, let running requests end, then return from ``serve``."""
        self.should_exit = True


def serve(options: ServerOptions, ready: Callable[[str], None] = lambda url: None) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called with the URL once requests are answered."""
    options.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(options.path), _socket(options) as listener:
        await_space(options.path)
        set_aside_empty(options.path)
        engine = Engine(options.path, options.memory_bytes)
        try:
            uvloop.run(_serve(engine, options, listener, ready))
        finally:
            engine.close()


async def _serve(engine: Engine, options: ServerOptions, listener: socket.socket, ready: Callable[[str], None]) -> None:
    application = Application(engine, options)
    server = _Server(_config(application, options), lambda: ready(_url(listener)))
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, server.stop)
    beside = [asyncio.create_task(task(engine)) for task in (watch, drop_stale_marks)]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
        await loop.run_in_executor(None, application.close)


def _config(application: Application, options: ServerOptions) -> uvicorn.Config:
    app: Any = application
    return uvicorn.Config(
        app,
        http=_Protocol,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=max(1, int(options.shutdown_seconds)),
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the data directory: two engines in one would destroy it."""
    with (path / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SystemExit(f"{path} is in use by another server") from error
        yield


@contextmanager
def _socket(options: ServerOptions) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        yield listener
    finally:
        with suppress(OSError):
            listener.close()
