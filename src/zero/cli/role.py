"""What the commands of single roles share: the tie to a supervisor, log lines, signals, the word ``ready``."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop

from zero.embedded.lifeline import die_with
from zero.infrastructure.telemetry.log_lines import write_log_lines
from zero.settings import Settings

Run = Callable[[Settings, asyncio.Event, Callable[[], None]], Awaitable[None]]
"""A role: runs until the event is set, and calls back once it is ready."""


def run_role(name: str, run: Run, settings: Settings, parent: int | None) -> None:
    """Run a role until SIGTERM or SIGINT. ``parent`` is the supervisor that it lives and dies with."""
    if parent is not None:
        die_with(parent)
    settings.refuse_exposure()
    write_log_lines(settings.log_format, settings.log_level, name)
    uvloop.run(_until_signalled(run, settings))


async def _until_signalled(run: Run, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(settings, stop, lambda: print("ready", flush=True))
