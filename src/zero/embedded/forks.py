"""The supervisor's side of the fork server: keeps it running, asks it for processes."""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from zero.embedded.fork_server import REQUEST_BYTES_MAX, TITLE_BYTES, request

_PR_SET_CHILD_SUBREAPER = 36
_ANSWER_SECONDS_MAX = 30.0
_PAUSE_SECONDS = 1.0
_ANSWER_BYTES_MAX = 32


class Forks:
    """Gives forks of ``python -m module SUPERVISOR``, which calls ``fork_server.serve``."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._argv = (sys.executable, "-P", "-m", module, str(os.getpid()), "-" * TITLE_BYTES)
        self._environment = environment
        self._asking = asyncio.Lock()
        self._control: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @staticmethod
    def possible() -> bool:
        """Whether this system lets a process adopt what its children leave behind, and wait for it."""
        if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
            return False
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:  # an old kernel, or a container that forbids it
            return False
        return True

    async def start(self) -> None:
        """Start the fork server, which loads meanwhile: what is asked of it waits."""
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1):
            return
        process = await self._begin()
        self._task = asyncio.create_task(self._keep_running(process), name="forks")

    async def stop(self) -> None:
        """End the fork server; what it has forked stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def fork(
        self, argv: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str], files: tuple[int, int]
    ) -> int:
        """Return the id of a new child of ours with this standard input and output. Raises OSError when there is none."""
        asked = request(argv, arguments, environment)
        async with self._asking:
            control = self._control
            if control is None or len(asked) > REQUEST_BYTES_MAX:
                raise ConnectionError("no fork server")
            socket.send_fds(control, [asked], files)
            answering = asyncio.get_running_loop().sock_recv(control, _ANSWER_BYTES_MAX)
            try:
                answer = await asyncio.wait_for(answering, _ANSWER_SECONDS_MAX)
            except BaseException:
                self._forget(control)  # what it would answer later is not the answer to the next question
                raise
            if not answer:
                raise ConnectionError("the fork server is gone")
            return int(answer)

    async def _begin(self) -> asyncio.subprocess.Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._argv, stdin=theirs.fileno(), env={**os.environ, **self._environment}, start_new_session=True
                )
        except BaseException:
            ours.close()
            raise
        self._control = ours
        return process

    async def _keep_running(self, process: asyncio.subprocess.Process) -> None:
        while True:
            control = self._control
            try:
                await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                raise
            finally:
                self._forget(control)
            process = await self._begin_again()

    async def _begin_again(self) -> asyncio.subprocess.Process:
        """Start the next, however often that fails: until then roles are executed."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            with contextlib.suppress(OSError, RuntimeError):
                return await self._begin()

    def _forget(self, control: socket.socket | None) -> None:
        """Close a connection: the fork server behind it ends, and the next one gets another."""
        if control is not None:
            control.close()
            if self._control is control:
                self._control = None
