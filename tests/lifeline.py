"""Servers that end with the process that runs the tests, however that one ends."""

import sys

_PROGRAM = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG outlives exec
os.execv(sys.argv[1], sys.argv[1:])
"""


def tied(*command: str) -> list[str]:
    """Return the command of a program, by its full path, that is asked to end when the caller's process ends."""
    return [sys.executable, "-IS", "-c", _PROGRAM, *command]
