"""Ports for the servers of tests: each is given out once, to one process of all that run tests on this machine."""

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

FIRST, COUNT = 10_240, 22_000
"""Below those that the kernels of Linux and macOS hand to connections that ask for none."""
_TRIES_MAX = 1_000
_chance = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing uses, TCP or UDP, and that nobody else is given while this process lives."""
    for _ in range(_TRIES_MAX):
        port = FIRST + _chance.randrange(COUNT)
        if port not in _given and _claimed(port) and _unused(port):
            _given.add(port)
            return port
    raise RuntimeError("no port is free")


@cache
def _claims() -> int:
    """Open the file whose byte N the process locks that port N was given to; the kernel unlocks it when that one ends."""
    path = Path(tempfile.gettempdir()) / f"zero-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _claimed(port: int) -> bool:
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _unused(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("", port))
            except OSError:
                return False
    return True
