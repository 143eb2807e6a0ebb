import os
import pty
import select
import sys
import time

import pytest

PROGRAM = """
import signal, time
from zero.embedded.terminal import foreground
with foreground():
    signal.signal(signal.SIGINT, lambda *_: stopped.append(1))
    stopped = []
    print("waiting", flush=True)
    while not stopped:
        time.sleep(0.01)
print("stopped", flush=True)
"""


def until(terminal, word, seconds=60.0):
    text, deadline = "", time.monotonic() + seconds
    while word not in text:
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 4096).decode()
    return text


@pytest.mark.filterwarnings("ignore:.*use of forkpty:DeprecationWarning")
def test_ctrl_c_reaches_the_platform_and_not_the_program_that_started_it(tmp_path):
    """As ``make up`` does; without a group of its own, make would die of the same Ctrl-C and report a failure."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("sh", ["sh", "-c", f"{sys.executable} {program}; echo exit code $?; read line; echo read $line"])
    try:
        until(terminal, "waiting")
        os.write(terminal, b"\x03")
        until(terminal, "exit code 0")
        os.write(terminal, b"again\n")
        until(terminal, "read again")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
