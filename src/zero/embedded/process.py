"""A process that was started: its id, what it writes, how it is let begin, how it ended."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from zero.embedded.forks import Forks

LINE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """What to start, and the pattern of the line that says that it is ready.

    ``held``: its standard input stays open until it is released, and it begins its work only then. So it can be loaded while
    what it needs is still starting. ``forked``: the words by which a fork server starts the same; none: it cannot.
    """

    name: str
    argv: tuple[str, ...]
    ready_pattern: str = "^ready$"
    environment: Mapping[str, str] = field(default_factory=dict)
    held: bool = False
    forked: tuple[str, ...] = ()


class Process(Protocol):
    """What the supervisor knows of a process."""

    pid: int
    output: asyncio.StreamReader

    def release(self) -> None:
        """Close its standard input."""

    async def wait(self) -> int:
        """Return its exit code once it has ended; that of a signal is negative."""

    def close(self) -> None:
        """Read no further."""


@dataclass(slots=True)
class _Executed:
    pid: int
    output: asyncio.StreamReader
    _process: asyncio.subprocess.Process

    def release(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> int:
        return await self._process.wait()

    def close(self) -> None:
        """Nothing: what the process left open ends with the process object."""


@dataclass(slots=True)
class _Forked:
    pid: int
    output: asyncio.StreamReader
    _input: int | None
    _transport: asyncio.BaseTransport

    def release(self) -> None:
        if self._input is not None:
            os.close(self._input)
            self._input = None

    async def wait(self) -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        handle = os.pidfd_open(self.pid)
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
            self.release()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])  # noqa: ASYNC222 - it has ended

    def close(self) -> None:
        self._transport.close()


async def execute(command: ChildCommand, *, held: bool) -> Process:
    """Start a program. ``held``: its standard input stays open until it is released."""
    process = await asyncio.create_subprocess_exec(
        *command.argv,
        stdin=PIPE if held else DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, **command.environment},
        start_new_session=True,
        limit=LINE_BYTES_MAX,
    )
    assert process.stdout is not None  # noqa: S101 - asked for just above
    return _Executed(process.pid, process.stdout, process)


async def fork(forks: Forks, command: ChildCommand, *, held: bool) -> Process:
    """Start the same by forking. Raises OSError when that cannot be done now."""
    loop, output = asyncio.get_running_loop(), asyncio.StreamReader(LINE_BYTES_MAX)
    reading, writing = os.pipe()
    given, ours = os.pipe()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", 0))
    try:
        environment = {**os.environ, **command.environment}
        pid = await forks.fork(command.argv, command.forked, environment, (given, writing))
    except BaseException:
        transport.close()
        os.close(ours)
        raise
    finally:
        os.close(given)
        os.close(writing)
    process = _Forked(pid, output, ours, transport)
    if not held:
        process.release()
    return process
