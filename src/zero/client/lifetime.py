"""The ends and the beginnings of processes: every sender is told of a fork, and is closed before the interpreter ends."""

from __future__ import annotations

import atexit
import os
import sys
import time
import weakref
from typing import Protocol


class Lasting(Protocol):
    """What outlives a fork, and ends with the interpreter."""

    def after_fork(self) -> None:
        """Begin anew, in the child."""

    def prepare_exit(self) -> None:
        """Hurry from now on."""

    def drain(self, wait_for: str = "durable", timeout_seconds: float | None = None) -> None:
        """Wait until what was taken is delivered."""

    def close(self) -> None:
        """Deliver what waits, and stop."""


_known: weakref.WeakSet[Lasting] = weakref.WeakSet()
_hooked: list[bool] = []
_watched: dict[int, bool] = {}
_ending: list[bool] = []


def remember(sender: Lasting) -> None:
    """Tell this sender from now on."""
    _known.add(sender)
    if not _hooked:
        _hooked.append(True)
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)


def ending() -> bool:
    """Say whether the interpreter ends: what closes now stays closed."""
    return bool(_ending)


def drain(seconds: float) -> None:
    """Deliver what waits in all senders of this process, within so many seconds in all."""
    until = time.monotonic() + seconds
    for sender in list(_known):
        sender.drain(timeout_seconds=max(0.0, until - time.monotonic()))


def watch_child() -> None:
    """See to it that a child of ``multiprocessing``, which ends without ``atexit``, is told of its end too."""
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is None or util is None or os.getpid() in _watched or process.parent_process() is None:
        return
    _watched[os.getpid()] = True
    util.Finalize(None, _end, exitpriority=0)


def _after_fork() -> None:
    _ending.clear()
    for sender in list(_known):
        sender.after_fork()


def _at_exit() -> None:
    """Give all senders one deadline. Those of handlers are closed by ``logging.shutdown``, which comes later than this."""
    _ending.append(True)
    for sender in list(_known):
        sender.prepare_exit()
    for sender in list(_known):
        if not getattr(sender, "closed_by_logging", False):
            sender.close()


def _end() -> None:
    _ending.append(True)
    for sender in list(_known):
        sender.prepare_exit()
    for sender in list(_known):
        sender.close()
