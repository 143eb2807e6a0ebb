"""One supervised process: started, watched, restarted with back-off, stopped."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zero.embedded.events import ChildRestarted
from zero.embedded.forks import Forks
from zero.embedded.process import LINE_BYTES_MAX, ChildCommand, Process, end_group, execute, fork

if TYPE_CHECKING:
    from zero.application.ports import Telemetry

CONFIGURATION_EXIT = 78
"""EX_CONFIG of sysexits.h: what a role exits with when starting it again cannot help."""

_KILLED_SECONDS_MAX = 2.0
"""How long to wait for one that was killed: the kernel may keep it for as long as its disk hangs."""


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a child is restarted: at once the first time, then after growing pauses; a child that ran long enough is forgiven."""

    pause_seconds: float = 0.1
    pause_seconds_max: float = 5.0
    forgiven_after_seconds: float = 5.0
    stop_seconds_max: float = 10.0


class Child:
    """Keeps one process running until it is stopped. ``say`` takes (name, line) of everything it writes, and never raises."""

    def __init__(
        self,
        command: ChildCommand,
        options: ChildOptions,
        say: Callable[[str, str], None],
        telemetry: "Telemetry | None" = None,
        forks: Forks | None = None,
    ) -> None:
        self.command = command
        self.ready = asyncio.Event()
        self.gave_up = asyncio.Event()
        self.pid: int | None = None
        self.restarts = 0
        self._options = options
        self._say = say
        self._telemetry = telemetry
        self._forks = forks
        self._stopping = asyncio.Event()
        self._held = command.held
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process and keep it running."""
        self._task = asyncio.create_task(self._keep_running(), name=self.command.name)

    def release(self) -> None:
        """Let it begin, if it was held; should it be started again, it begins at once."""
        self._held = False
        if self._process is not None:
            self._process.release()

    async def stop(self, seconds_max: float | None = None) -> bool:
        """Ask the process to end (SIGTERM), wait so long, then end it (SIGKILL). Returns whether that was not needed."""
        self._stopping.set()
        if self._task is None:
            return True
        seconds_max = self._options.stop_seconds_max if seconds_max is None else seconds_max
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait({self._task}, timeout=seconds_max)
        if not done:
            self._say(self.command.name, f"did not stop within {seconds_max:.1f} s; killed")
            self.kill()
            await asyncio.wait({self._task}, timeout=_KILLED_SECONDS_MAX)
            return False
        if error := self._task.exception():
            self.kill()
            self._say(self.command.name, f"was no longer watched: {error!r}")
        return error is None

    def hang_up(self) -> None:
        """Tell the process to read its settings again (SIGHUP), once it is ready to be told."""
        if self.ready.is_set():
            self._signal(signal.SIGHUP)

    def kill(self) -> None:
        """End the process and what it started, at once and for good."""
        self._stopping.set()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code, how = await self._run_or_fail()
            if self._stopping.is_set():
                return
            if code == CONFIGURATION_EXIT:
                self.gave_up.set()
                return
            lived = time.monotonic() - started
            failures = 0 if lived >= self._options.forgiven_after_seconds else failures
            pause = self._pause(failures)
            failures += 1
            self.restarts += 1
            if self._telemetry is not None:
                self._telemetry.emit(ChildRestarted(self.command.name))
            self._say(self.command.name, f"{how} after {lived:.1f} s; starting it again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _pause(self, failures: int) -> float:
        if failures == 0:
            return 0.0
        return min(self._options.pause_seconds * 2.0 ** min(failures - 1, 16), self._options.pause_seconds_max)

    async def _run_or_fail(self) -> tuple[int | None, str]:
        """Return how a run ended. What it needs may be short now (descriptors, memory, processes) and there again later."""
        try:
            code = await self.run_once()
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread to wait for it
            return None, f"could not be started ({error})"
        return code, _ending(code)

    async def run_once(self) -> int:
        """Run the process to its end and return its exit code. Raises OSError or RuntimeError when it cannot be started."""
        process = await self._begin()
        self.pid, self._process = process.pid, process
        if not self._held:
            self.release()
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        relay = asyncio.create_task(self._relay(process.output))
        try:
            code = await process.wait()
        finally:
            self.pid = self._process = None
            self.ready.clear()
        await end_group(process.pid)
        done, _ = await asyncio.wait({relay}, timeout=1.0)
        if not done:
            relay.cancel()
        process.close()
        return code

    async def _begin(self) -> Process:
        command = self.command
        if command.forked and self._forks is not None:
            try:
                return await fork(self._forks, command)
            except (OSError, TimeoutError) as error:
                self._say(command.name, f"not forked ({error}); started anew")
        return await execute(command)

    async def _relay(self, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:
                self._say(self.command.name, f"(a line of more than {LINE_BYTES_MAX} bytes)")
                continue
            if not line:
                return
            text = line.decode(errors="replace").rstrip("\r\n")
            if not self.ready.is_set() and re.search(self.command.ready_pattern, text):
                self.ready.set()
            if text != "ready":
                self._say(self.command.name, text)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
