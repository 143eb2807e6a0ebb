"""What ties a process to the one that started it: when it begins, and when it ends that does not end by itself."""

import ctypes
import os
import signal
import sys
from threading import Timer

from zero.embedded.outlet import Outlet

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask for SIGKILL when the parent ends: safe, since nothing unsaved was acknowledged. Exits if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"the parent process {parent} is gone")


def until_told() -> None:
    """Wait for the word to begin, on standard input. Exits when it ends without one: whoever started this gave it up.

    An end alone is not the word: it also comes when the supervisor loses sight of a fork, and starts another in its place.
    """
    if not sys.stdin.read(1):
        sys.exit("never told to begin: ending")


def end_within(seconds: float) -> None:
    """End this process (exit code 0) after so many seconds, whatever it does then: for one that may be killed at any moment.

    From a thread of its own: what is late may be the event loop, or the interpreter, which waits for threads when it ends.
    """

    def end() -> None:
        left = f"not done within the {seconds:g} s of a stop: ending; what is unfinished is found by the next start"
        Outlet(sys.__stderr__).write(left)
        os._exit(0)

    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()
