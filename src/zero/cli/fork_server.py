"""``python -m zero.cli.fork_server``: what `zero up` forks its roles from. Standard input is the socket of its supervisor."""

import os
import socket
import sys
from collections.abc import Sequence

from zero.cli import main as command_line
from zero.cli.role import load_parts
from zero.embedded.fork_server import serve
from zero.embedded.lifeline import die_with


def main() -> None:
    """Fork until the supervisor ends."""
    supervisor = int(sys.argv[1])
    die_with(supervisor)
    control = socket.socket(fileno=os.dup(0))
    control.set_inheritable(False)
    serve(control, supervisor, _load, _run)


def _load(arguments: Sequence[str]) -> None:
    """Load what the role needs before it is forked, and so for every later one."""
    load_parts(arguments[0], clickhouse="ZERO_CLICKHOUSE_URL" in os.environ)


def _run(arguments: Sequence[str]) -> None:
    sys.argv[1:] = arguments
    command_line()


if __name__ == "__main__":
    main()
