"""A process whose stop has taken its time ends, whatever it waits for."""

import subprocess
import sys

from tests.patience import READY_SECONDS_MAX


def test_a_process_ends_in_time_although_a_thread_of_its_own_never_does() -> None:
    program = (
        "import threading; from zero.embedded.lifeline import end_within\n"
        "threading.Thread(target=threading.Event().wait).start(); end_within(0.1)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=READY_SECONDS_MAX)
    assert ended.returncode == 0
    assert "not done within the 0.1 s of a stop" in ended.stderr
