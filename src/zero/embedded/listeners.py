"""Ports, looked at before anything is started."""

import errno
import socket
import time

ENDING_SECONDS_MAX = 2.0
"""How long a port may be taken by a run before this one that was killed: its servers end a little after it."""
_LOOK_SECONDS = 0.02


def free_port(host: str, port: int, *, datagrams: bool = False, patience_seconds: float = 0.0) -> int:
    """Return the port once nobody listens on it, or a free one for port 0. Raises OSError when somebody goes on to."""
    until = time.monotonic() + patience_seconds
    while True:
        try:
            return _bound(host, port, datagrams=datagrams)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                raise
        time.sleep(_LOOK_SECONDS)


def _bound(host: str, port: int, *, datagrams: bool = False) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM) as probe:
        if not datagrams:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        found: int = probe.getsockname()[1]
        return found
