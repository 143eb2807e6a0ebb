"""A process that was started: its id, what it writes, how it is let begin, how it ended."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, SubprocessStreamProtocol
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol

from zero.embedded.forks import Forks

LINE_BYTES_MAX = 1 << 20
_GO = b"\n"
"""What tells a process that is held to begin."""
_LOOK_SECONDS = 0.1
"""How often to look whether a process has ended, while there is no descriptor left to be told by."""
_GROUP_SECONDS_MAX = 3.0
_GROUP_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """What to start, and the pattern of the line that says that it is ready.

    ``held``: it begins its work only when it is told to on its standard input, and ends when that ends without a word. So it
    can be loaded while what it needs is still starting, and one that nobody watches never begins. ``forked``: the words by
    which a fork server starts the same; none: it cannot.
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
        """Tell it to begin; once is enough."""

    async def wait(self) -> int:
        """Return its exit code once it has ended; that of a signal is negative."""

    def close(self) -> None:
        """Read no further."""


class _Streams(SubprocessStreamProtocol):
    """asyncio's, with the moment at which the process ends: its own ``wait`` also waits for all who hold the output open."""

    def __init__(self) -> None:
        super().__init__(LINE_BYTES_MAX, asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended.set()


@dataclass(slots=True)
class _Executed:
    pid: int
    output: asyncio.StreamReader
    _streams: _Streams
    _transport: asyncio.SubprocessTransport

    def release(self) -> None:
        stdin = self._streams.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(_GO)
            stdin.close()

    async def wait(self) -> int:
        await self._streams.ended.wait()
        code = self._transport.get_returncode()
        assert code is not None  # noqa: S101 - it has ended
        return code

    def close(self) -> None:
        self._transport.close()


@dataclass(slots=True)
class _Forked:
    pid: int
    output: asyncio.StreamReader
    _input: int | None
    _transport: asyncio.BaseTransport

    def release(self) -> None:
        if self._input is not None:
            with suppress(OSError):  # it has ended already
                os.write(self._input, _GO)
            self._close_input()

    def _close_input(self) -> None:
        if self._input is not None:
            os.close(self._input)
            self._input = None

    async def wait(self) -> int:
        try:
            while not await self._seen_to_end():  # noqa: ASYNC110 - nothing would set an event
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._close_input()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])  # noqa: ASYNC222 - it has ended

    async def _seen_to_end(self) -> bool:
        """Return True once it has ended; or at once whether it has, when there is no descriptor to wait on."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None  # noqa: ASYNC222 - no wait
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return True

    def close(self) -> None:
        self._transport.close()


async def end_group(leader: int) -> None:
    """Kill what a process that has ended left behind in its group, and take leave of it where we are its new parent.

    Such as the child with which a killed Valkey wrote its file: nobody else waits for it, and it holds the output open. Every
    process that we start leads a group of its own, so nothing else of ours is in this one.
    """
    with suppress(OSError):  # usually nothing is left
        os.killpg(leader, signal.SIGKILL)
    until = time.monotonic() + _GROUP_SECONDS_MAX
    with suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-leader, os.WNOHANG)[0] == 0:  # noqa: ASYNC222 - no wait
                await asyncio.sleep(_GROUP_LOOK_SECONDS)


async def execute(command: ChildCommand) -> Process:
    """Start a program."""
    transport, streams = await asyncio.get_running_loop().subprocess_exec(
        _Streams,
        *command.argv,
        stdin=PIPE if command.held else DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, **command.environment},
        start_new_session=True,
    )
    assert streams.stdout is not None  # noqa: S101 - asked for just above
    return _Executed(transport.get_pid(), streams.stdout, streams, transport)


async def fork(forks: Forks, command: ChildCommand) -> Process:
    """Start the same by forking. Raises OSError when that cannot be done now: what was forked all the same, never begins."""
    loop, output = asyncio.get_running_loop(), asyncio.StreamReader(LINE_BYTES_MAX)
    with ExitStack() as theirs, ExitStack() as ours:
        reading, writing = os.pipe()
        theirs.callback(os.close, writing)
        pipe = ours.enter_context(os.fdopen(reading, "rb", 0))
        taken, given = os.pipe()
        theirs.callback(os.close, taken)
        ours.callback(os.close, given)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), pipe)
        ours.callback(transport.close)
        environment = {**os.environ, **command.environment}
        pid = await forks.fork(command.argv, command.forked, environment, (taken, writing))
        ours.pop_all()
    return _Forked(pid, output, given, transport)
