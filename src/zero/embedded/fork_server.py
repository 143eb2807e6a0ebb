"""A process that has the imports done and forks: a role that it starts runs in milliseconds, not after a second of imports.

It does nothing else: no thread, no connection, no event loop. A fork becomes a child of the supervisor, which asks for it over
a socket, as if the supervisor had started it: it is seen, signalled and waited for in the same way, dies with the supervisor,
and lives on when the fork server is killed. Only on Linux.
"""

import ctypes
import gc
import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

REQUEST_BYTES_MAX = 128 << 10
TITLE_BYTES = 1024
"""How much room for the command line of a fork the command line of the fork server has to have."""

_ADOPTION_SECONDS_MAX = 5.0
_ADOPTION_LOOK_SECONDS = 0.0005


Act = Callable[[Sequence[str]], None]
"""Takes the words that say which process is asked for."""


def serve(control: socket.socket, supervisor: int, load: Act, run: Act) -> None:
    """Fork for each request until the other side closes: ``load`` is called before, here, and ``run`` in the fork."""
    gc.disable()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES_MAX, 2)
        if not message:
            return
        request = json.loads(message)
        load(request["arguments"])
        gc.freeze()  # or each fork would copy what it only counts
        pid = _forked()
        if pid == 0:
            gc.enable()
            control.close()
            _run_to_the_end(run, request, descriptors, supervisor)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(pid).encode())


def _run_to_the_end(run: Act, request: Mapping[str, Any], descriptors: Sequence[int], supervisor: int) -> NoReturn:
    """Be the process that is asked for, and end as soon as it has: no interpreter is taken down that was not ours to set up."""
    code = 1
    try:
        _become(request["argv"], request["environment"], descriptors, supervisor)
        run(request["arguments"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def request(argv: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Return what asks for a fork; its standard input and output go with it. ``argv`` is what its command line shows."""
    return json.dumps({"argv": argv, "arguments": arguments, "environment": dict(environment)}).encode()


def _forked() -> int:
    """Fork twice, so that the second fork loses its parent, and the supervisor adopts it; return its id, or 0 in it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid:
            os.write(writing, pid.to_bytes(4, "little"))
            os._exit(0)
        os.close(reading)
        os.close(writing)
        return 0
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        pid = int.from_bytes(pipe.read(4), "little")
    os.waitpid(between, 0)
    return pid


def _become(argv: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int], supervisor: int) -> None:
    """Be a process of its own: session, standard files, environment, command line. Ends it when the supervisor is gone."""
    os.setsid()
    given, output = descriptors
    for descriptor, standard in ((given, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.close(given)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    _show(argv)
    until = time.monotonic() + _ADOPTION_SECONDS_MAX
    while os.getppid() != supervisor:
        if time.monotonic() > until:
            sys.exit(f"the parent process {supervisor} is gone")
        time.sleep(_ADOPTION_LOOK_SECONDS)


def _show(argv: Sequence[str]) -> None:
    """Show this command line in /proc, where operators and their tools look: it is written over that of the fork server."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if start and end - start >= TITLE_BYTES:
        shown = b"\0".join(word.encode() for word in argv)[: end - start - 1]
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, shown, len(shown))
