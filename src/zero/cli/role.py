"""What the commands of single roles share: the tie to a supervisor, log lines, signals, the word ``ready``."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from importlib import import_module

import uvloop

from zero.application.background import end
from zero.application.hangup import on_hangup
from zero.cli.reloading import Reloading
from zero.cli.role_events import events_of
from zero.embedded.lifeline import die_with, end_within, until_told
from zero.infrastructure.system.vitals import watch_processes
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE, SLOT_VARIABLE
from zero.infrastructure.telemetry.log_lines import write_log_lines
from zero.settings import Settings

_KEPT = ("meaning_store", "patterns")
_READS = ("reader", "field_reader", "meaning_reader", "pattern_reader")
_OF_API = ("zero.interfaces.api.server", "pydantic.v1", "uvicorn.lifespan.off", "zero.infrastructure.lucene.parser")
_OF_ALL = (
    "zero.bootstrap",
    "zero.infrastructure.system.clock",
    "zero.infrastructure.telemetry.process",
    "zero.infrastructure.redis.buffer",
    "zero.infrastructure.redis.key_store",
    "zero.infrastructure.native.codec",
)
_OF_INGEST = (
    "zero.application.ingest",
    "zero.infrastructure.codec.decompress",
    "zero.interfaces.ingest_http.server",
    "zero.interfaces.ingest_grpc.server",
)
PARTS = {
    "migrate": ("zero.cli.migrate", "zero.infrastructure.clickhouse.migrations"),
    "ingest": ("zero.cli.ingest", *_OF_ALL, *_OF_INGEST),
    "drain": ("zero.cli.drain", *_OF_ALL, "zero.application.drain.service", "zero.infrastructure.clickhouse.store"),
    "api": ("zero.cli.api", *_OF_ALL, *_OF_API, *(f"zero.infrastructure.clickhouse.{name}" for name in (*_READS, *_KEPT))),
}
"""The modules of each role that take long to import."""
ENDS_ANYWHERE = ("drain", "api")
"""The roles that lose nothing wherever they are ended. An ingest has clients who wait for answers."""

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

    uvloop.run(_until_signalled(name, run, settings, take_up))


def until_released(name: str, settings: Settings) -> None:
    """Load what the role needs, then wait to be told to begin."""
    load_parts(name, clickhouse=bool(settings.clickhouse_url))
    until_told()


def load_parts(name: str, *, clickhouse: bool) -> None:
    """Load what a role needs, but for what belongs to a store that is not there."""
    for module in PARTS[name]:
        if clickhouse or "clickhouse" not in module:
            import_module(module)


async def _until_signalled(name: str, run: Run, settings: Settings, take_up: Callable[[Settings], None]) -> None:
    from zero.infrastructure.telemetry.process import process_telemetry

    telemetry, _ = process_telemetry()
    telemetry.declare(events_of(name))
    stop = asyncio.Event()

    def asked_to_stop() -> None:
        if name in ENDS_ANYWHERE and not stop.is_set():
            end_within(settings.stop_seconds_max)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    watching = []
    slot = os.environ.get(SLOT_VARIABLE)
    if slot or FOLDER_VARIABLE not in os.environ:  # else the supervisor, which shares the page, tells of its children
        proc = f"{name}-{slot}" if slot else name
        watching.append(asyncio.create_task(watch_processes(telemetry, lambda: [(proc, os.getpid())])))
    try:
        with on_hangup(Reloading(telemetry, take_up)):
            await run(settings, stop, lambda: print("ready", flush=True))
    finally:
        await end(*watching)
