"""What cannot be written is lost, counted and told of; whoever writes does not notice."""

import asyncio
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.patience import READY_SECONDS_MAX
from zero.embedded.child import ChildOptions
from zero.embedded.outlet import Outlet
from zero.embedded.process import ChildCommand
from zero.embedded.supervisor import Supervisor

TALKING = "print(('x' * 10_000 + '\\n') * 400); print('ready', flush=True); import time; time.sleep(60)"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
async def test_children_are_watched_and_read_although_nothing_they_say_can_be_written():
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "w") as full:
        supervisor = Supervisor(ChildOptions(pause_seconds=0.02), Outlet(full).write_prefixed)
        (child,) = supervisor.start([ChildCommand("worker", (sys.executable, "-c", TALKING))])
        try:
            await supervisor.until_ready(READY_SECONDS_MAX)
            os.kill(child.pid, signal.SIGKILL)
            until = time.monotonic() + READY_SECONDS_MAX
            while child.restarts == 0 or not child.ready.is_set():
                assert time.monotonic() < until, "the child was not started again"
                await asyncio.sleep(0.01)
        finally:
            await supervisor.stop([])


def test_a_reader_that_does_not_read_holds_nobody_up():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as reader, os.fdopen(writing, "w") as file:
        outlet = Outlet(file)
        talking = threading.Thread(target=lambda: [outlet.write("x" * 10_000) for _ in range(20)], daemon=True)
        talking.start()
        talking.join(READY_SECONDS_MAX)
        waits = talking.is_alive()
        assert len(reader.read(1 << 20)) >= 10_000
        assert not waits
        outlet.write("after")
        assert reader.read(1 << 20).endswith(b")\nafter\n")


def test_how_many_lines_were_lost_is_said_once_when_there_is_room_again():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as reader, os.fdopen(writing, "w") as file:
        outlet, full = Outlet(file), 1 << 20
        outlet.write("x" * full)
        outlet.write("lost")
        reader.read(full)
        outlet.write("after")
        outlet.write("and on")
        assert reader.read(full) == b"\n(lines lost, because they could not be written: 2)\nafter\nand on\n"


def test_a_reader_that_is_gone_and_a_file_that_was_closed_are_borne():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        outlet = Outlet(file)
        outlet.write("nobody reads this")
    outlet.write("nor this")
    Outlet(None).write("nor this")
