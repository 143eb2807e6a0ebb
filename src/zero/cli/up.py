"""``zero up``: everything on this machine, with embedded servers for whatever URL is not set."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zero.application.background import end
from zero.application.settings_events import SettingsRefused, SettingsReloaded
from zero.cli import settings_flags
from zero.cli.reloading import Reloading
from zero.cli.role_events import events_of
from zero.cli.up_plan import Plan, metrics_folder, plan
from zero.cli.up_stop import STOP_ORDER, stop_time
from zero.domain.errors import ConfigurationError, Unavailable
from zero.embedded.child import Child, ChildOptions
from zero.embedded.data_folder import held
from zero.embedded.forks import Forks
from zero.embedded.outlet import Outlet
from zero.embedded.probe import until_green
from zero.embedded.supervisor import Supervisor
from zero.embedded.terminal import foreground
from zero.infrastructure.system.vitals import watch_processes
from zero.infrastructure.telemetry.exposition import FOLDER_VARIABLE
from zero.settings import Settings

if TYPE_CHECKING:
    from zero.application.ports import Telemetry

READY_SECONDS_MAX = 60.0


@click.command()
@settings_flags(*(item.name for item in fields(Settings)))
def up(settings: Settings) -> None:
    """Start ingest, drain, api, and servers for what has no URL.

    Ctrl-C stops all in order, a second one kills.

    \b
    Exit code 0: stopped. 1: a process had to be killed, or could not start. 78: settings that cannot work.
    """
    settings.refuse_exposure()
    with held(settings.data_dir) as folder, foreground():
        sys.exit(asyncio.run(_Up(plan(settings, folder)).run()))


class _Up:
    """One run of ``zero up``."""

    def __init__(self, chosen: Plan) -> None:
        self._plan = chosen
        self._telemetry = _telemetry(chosen)
        self._forks = Forks("zero.cli.fork_server", chosen.migration.environment) if Forks.possible() else None
        self._out, self._err = Outlet(sys.__stdout__), Outlet(sys.__stderr__)
        self._supervisor = Supervisor(ChildOptions(), self._err.write_prefixed, telemetry=self._telemetry, forks=self._forks)
        self._reloading = Reloading(self._telemetry, lambda fresh: None)
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Run until told to stop; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._asked_to_stop if sys.stdin.isatty() else self._asked_to_reload)
        watching = asyncio.create_task(watch_processes(self._telemetry, self._running, self._plan.folder))
        try:
            started = time.monotonic()
            if await self._unless_stopped(self._start()):
                self._out.write(_welcome(self._plan, time.monotonic() - started))
                await self._unless_stopped(self._break())
        finally:
            if self._forks is not None:
                await self._forks.stop()
            killed = await self._supervisor.stop(STOP_ORDER, stop_time(self._plan.settings))
            await end(watching)
            late = f", but {', '.join(killed)} had to be killed" if killed else ""
            self._out.write(f"zero: stopped{late}")
        return 1 if killed else 0

    def _running(self) -> list[tuple[str, int]]:
        """Return name and pid of every process of this run."""
        children = [(child.command.name, child.pid) for child in self._supervisor.children]
        return [("up", os.getpid()), *((name, pid) for name, pid in children if pid is not None)]

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._err.write("zero: killed")
            self._supervisor.kill()
            return
        self._stop.set()
        self._err.write("zero: stopping: ingest, drain, api, servers; again to kill")

    def _asked_to_reload(self) -> None:
        """Say what changed, and tell the roles. In a terminal SIGHUP is its end, and ours."""
        match self._reloading.look():
            case SettingsReloaded(taken_up, needs_a_restart):
                self._err.write(f"zero: settings read again; taken up: {taken_up}; needs a restart: {needs_a_restart}")
            case SettingsRefused(message):
                self._err.write(f"zero: the settings stay as they are: {message}")
        self._supervisor.hang_up(STOP_ORDER)

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> bool:
        """Do the work unless a stop is asked for; True when it was done."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self._stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks[1].cancel()
        if not tasks[0].done():
            tasks[0].cancel()
            await asyncio.wait([tasks[0]])
            return False
        await tasks[0]
        return True

    async def _start(self) -> None:
        """Start the servers, migrate, start the roles; what has to wait is loaded meanwhile."""
        servers = self._supervisor.start(self._plan.servers)
        if self._forks is not None:
            await self._forks.start()
        migration = Child(self._plan.migration, ChildOptions(), self._err.write_prefixed, forks=self._forks)
        migrating = asyncio.create_task(migration.run_once())
        try:
            roles = self._supervisor.start(self._plan.roles)
            await self._supervisor.until_ready(READY_SECONDS_MAX, servers)
            migration.release()
            if await migrating != 0:
                raise Unavailable("the store could not be migrated; its own words are above")
        finally:
            migration.kill()
            await migrating
        for role in roles:
            role.release()
        await self._supervisor.until_ready(READY_SECONDS_MAX)
        await asyncio.gather(*(until_green(url, READY_SECONDS_MAX) for url in self._plan.probes))

    async def _break(self) -> None:
        name = await self._supervisor.until_one_gives_up()
        raise ConfigurationError(f"{name} cannot start with these settings; its own words are above")


def _telemetry(chosen: Plan) -> "Telemetry":
    """Return telemetry that shows on the api's page. The metrics library looks at the variable when it is first imported."""
    os.environ[FOLDER_VARIABLE] = str(metrics_folder(chosen.folder, "api"))
    from zero.infrastructure.telemetry.process import process_telemetry

    telemetry, _ = process_telemetry()
    telemetry.declare(events_of("up"))
    return telemetry


def _users_of(chosen: Plan) -> str:
    return f"user reader; its password is in {os.path.relpath(chosen.folder / 'clickhouse' / 'passwords')}"


def _welcome(chosen: Plan, seconds: float) -> str:
    settings = chosen.settings
    here = Path(sys.executable).with_name("zero")
    zero = "zero" if shutil.which("zero") == str(here) else os.path.relpath(here)
    ingest, api = f"{settings.web_scheme}://{settings.ingest_http}", f"{settings.web_scheme}://{settings.api}"
    trusted = f"--cacert {settings.ca} " if settings.ca else ""
    lines = [
        f"zero is ready after {seconds:.1f} s; its data is in {chosen.folder}",
        f"  send logs to   {ingest}/api/logs",
        *([f"  or by gRPC to  {settings.ingest_grpc}"] if settings.ingest_grpc else []),
        *(f"  or by syslog   {kind} {address}" for kind, address in settings.syslog_listeners),
        f"  find them at   {api}/ in a browser (for programs: {api}/api/docs)",
        *([f"  ClickHouse     http://{settings.embedded_clickhouse} ({_users_of(chosen)})"] if chosen.embeds_store else []),
        "try:",
        f"""  curl {trusted}--json '{{"app_id":"demo","level":"error","message":"hello from curl"}}' {ingest}/api/logs""",
        f"  {zero} send /var/log/dpkg.log --app-id dpkg",
        f"  {zero} search 'level:error hello' --from -1h",
        "Ctrl-C stops everything in order.",
    ]
    return "\n".join(lines)
