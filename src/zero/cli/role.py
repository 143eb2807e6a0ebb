"""What the commands of single roles share: the tie to a supervisor, log lines, signals, the word ``ready``."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module

import uvloop

from zero.application.hangup import on_hangup
from zero.cli.reloading import Reloading
from zero.embedded.lifeline import die_with
from zero.infrastructure.telemetry.log_lines import write_log_lines
from zero.settings import Settings

_READS = ("zero.infrastructure.clickhouse.reader", "zero.infrastructure.lucene.parser")
_OF_ALL = ("zero.infrastructure.telemetry.process", "zero.infrastructure.redis.buffer", "zero.infrastructure.native.codec")
PARTS = {
    "ingest": (*_OF_ALL, "zero.application.ingest", "zero.interfaces.ingest_http.server", "zero.interfaces.ingest_grpc.server"),
    "drain": (*_OF_ALL, "zero.application.drain.service", "zero.infrastructure.clickhouse.store"),
    "api": (*_OF_ALL, "zero.interfaces.api.server", *_READS),
    "migrate": ("zero.infrastructure.clickhouse.migrations",),
}
"""The modules of each role that take long to import."""

Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]
"""A role: runs until the event is set, and calls back once it is ready."""


def run_role(name: str, run: Run, settings: Settings, tie: tuple[int | None, bool]) -> None:
    """Run a role until SIGTERM or SIGINT. ``tie``: the supervisor that it lives and dies with, and whether that holds it."""
    parent, held = tie
    if parent is not None:
        die_with(parent)
    settings.refuse_exposure()
    if held:
        until_released(name, settings)
    write_log_lines(settings.log_format, settings.log_level, name)

    def take_up(fresh: Settings) -> None:
        write_log_lines(fresh.log_format, fresh.log_level, name)

    uvloop.run(_until_signalled(run, settings, take_up))


def until_released(name: str, settings: Settings) -> None:
    """Load what the role needs, then wait for the end of standard input."""
    for module in PARTS[name]:
        if settings.clickhouse_url or "clickhouse" not in module:
            import_module(module)
    sys.stdin.read()


async def _until_signalled(run: Run, settings: Settings, take_up: Callable[[Settings], None]) -> None:
    from zero.infrastructure.telemetry.process import process_telemetry

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with on_hangup(Reloading(process_telemetry()[0], take_up)):
        await run(settings, stop, lambda: print("ready", flush=True))
