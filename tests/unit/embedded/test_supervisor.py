import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zero.domain.errors import ConfigurationError, Unavailable
from zero.embedded.child import ChildOptions
from zero.embedded.events import ChildRestarted
from zero.embedded.process import ChildCommand
from zero.embedded.stop_time import StopTime
from zero.embedded.supervisor import Supervisor
from zero.infrastructure.memory import MemoryTelemetry

OPTIONS = ChildOptions(pause_seconds=0.02, pause_seconds_max=0.05, stop_seconds_max=0.5)
READY = "import signal, time; print('ready', flush=True); time.sleep(60)"


def python(name, program, **more):
    return ChildCommand(name, (sys.executable, "-u", "-c", program), **more)


@pytest.fixture
async def supervise():
    said = []
    telemetry = MemoryTelemetry()
    supervisor = Supervisor(OPTIONS, lambda name, line: said.append(f"{name}: {line}"), telemetry)
    supervisor.telemetry = telemetry
    supervisor.said = said
    yield supervisor
    await supervisor.stop([])


def is_alive(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.mark.timed
async def test_a_child_that_is_killed_runs_again_within_a_second(supervise):
    supervise.start([python("worker", READY)])
    await supervise.until_ready(60)
    (child,) = supervise.children
    first, killed = child.pid, time.monotonic()
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)
    assert time.monotonic() - killed < 1.0
    assert any("ended by SIGKILL" in line for line in supervise.said)
    assert supervise.telemetry.events == [ChildRestarted("worker")]


async def test_a_child_that_keeps_dying_is_started_again_with_growing_bounded_pauses(supervise):
    supervise.start([python("worker", "raise SystemExit(3)")])
    await until(lambda: supervise.children[0].restarts >= 5)
    pauses = [line.rsplit(" in ", 1)[1] for line in supervise.said if "exit code 3" in line][:5]
    assert pauses == ["0 s", "0.02 s", "0.04 s", "0.05 s", "0.05 s"]


async def test_a_child_that_cannot_be_started_is_tried_again_until_it_can(supervise, tmp_path):
    program = tmp_path / "program"
    (child,) = supervise.start([ChildCommand("worker", (str(program),))])
    await until(lambda: child.restarts >= 3)
    assert any("could not be started" in line and str(program) in line for line in supervise.said)
    program.write_text(f"#!{sys.executable} -u\n{READY}\n")
    program.chmod(0o700)
    await supervise.until_ready(60)


async def test_a_stop_goes_on_through_all_stages_when_a_child_is_no_longer_watched():
    said = []

    def say(name, line):
        said.append(line)
        if "ended by SIGKILL" in line:
            raise ValueError("a defect in what watches it")

    supervisor = Supervisor(OPTIONS, say)
    broken, whole = supervisor.start([python("broken", READY), python("whole", READY)])
    await supervisor.until_ready(60)
    os.kill(broken.pid, signal.SIGKILL)
    await until(lambda: any("ended by SIGKILL" in line for line in said))
    pid = whole.pid
    await supervisor.stop(["broken", "whole"])
    assert not is_alive(pid)
    assert any("was no longer watched" in line for line in said)


async def test_a_child_with_settings_that_cannot_work_is_not_started_again(supervise):
    supervise.start([python("worker", "raise SystemExit(78)")])
    with pytest.raises(ConfigurationError, match="worker cannot start with these settings"):
        await supervise.until_ready(60)
    assert await asyncio.wait_for(supervise.until_one_gives_up(), 60) == "worker"
    assert supervise.children[0].restarts == 0


async def test_waiting_for_a_child_that_never_gets_ready_ends(supervise):
    supervise.start([python("worker", "import time; time.sleep(60)")])
    with pytest.raises(Unavailable, match=r"worker was not ready within 0\.2 s"):
        await supervise.until_ready(0.2)


async def test_children_stop_in_the_order_asked_for(supervise):
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('stopping'), sys.exit(0)))\n"
        "print('ready'); time.sleep(60)\n"
    )
    supervise.start([python("server", program)])
    supervise.start([python("door-0", program), python("door-1", program), python("mover", program)])
    await supervise.until_ready(60)
    await supervise.stop(["door", "mover"])
    stopped = [line.split(":")[0] for line in supervise.said if line.endswith("stopping")]
    assert sorted(stopped[:2]) == ["door-0", "door-1"]
    assert stopped[2:] == ["mover", "server"]
    assert supervise.children == []


async def test_a_child_that_ignores_the_request_to_stop_is_killed_with_what_it_started(supervise):
    program = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('other', other.pid); print('ready'); time.sleep(60)\n"
    )
    supervise.start([python("deaf", program)])
    await supervise.until_ready(60)
    other = int(next(line for line in supervise.said if "other" in line).split()[-1])
    await supervise.stop([])
    assert any("did not stop within 0.5 s" in line for line in supervise.said)
    await until(lambda: not is_alive(other) or _is_zombie(other))


async def test_a_stop_with_one_deadline_kills_who_is_late_and_says_whom(supervise):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
    supervise.start([python("server", deaf), python("door", deaf), python("mover", READY)])
    await supervise.until_ready(60)
    begun = time.monotonic()
    killed = await supervise.stop(["door", "mover"], StopTime(1.0, {"door": 0.5, "mover": 30.0}, 0.5))
    assert time.monotonic() - begun >= 1.0
    assert killed == ["door", "server"]
    assert any(re.search(r"door: did not stop within 0\.5 s; killed", line) for line in supervise.said)


def test_what_a_stage_does_not_need_is_the_next_ones_and_the_last_always_has_some():
    limits = StopTime(10.0, {"ingest": 0.4, "drain": 0.8}, 2.0)
    assert [limits.left("ingest", 0.0), limits.left("drain", 0.5), limits.left("", 3.0)] == [4.0, 7.5, 7.0]
    assert [limits.left("drain", 7.9), limits.left("", 9.5)] == [0.5, 2.0]


async def test_a_line_of_any_length_neither_stops_the_relay_nor_fills_memory(supervise):
    supervise.start([python("loud", "print('x' * 3_000_000); print('after'); print('ready'); import time; time.sleep(60)")])
    await supervise.until_ready(60)
    assert "loud: after" in supervise.said
    assert all(len(line) < 100 for line in supervise.said if line.startswith("loud: ("))


def _is_zombie(pid):
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/stat").open() as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_child_dies_with_a_parent_that_is_killed():
    inner = (
        "import os, sys, time; from zero.embedded.lifeline import die_with\n"
        "die_with(int(sys.argv[1])); print('tied', flush=True); time.sleep(60)\n"
    )
    outer = (
        "import os, subprocess, sys, time\n"
        f"argv = [sys.executable, '-c', {inner!r}, str(os.getpid())]\n"
        "child = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 60
        while is_alive(pid) and not _is_zombie(pid):
            assert time.monotonic() < deadline, "the child outlived its parent"
            time.sleep(0.01)


def test_a_child_whose_parent_is_gone_already_does_not_start():
    program = "from zero.embedded.lifeline import die_with; die_with(1 << 22)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60).returncode == 1


HELD = "import time; from zero.embedded.lifeline import until_told; until_told(); print('ready', flush=True); time.sleep(60)"


async def test_a_held_child_begins_when_it_is_released_and_at_once_when_it_is_started_again(supervise):
    (child,) = supervise.start([python("worker", HELD, held=True)])
    await until(lambda: child.pid is not None)
    await asyncio.sleep(0.3)
    assert not child.ready.is_set()
    child.release()
    await supervise.until_ready(60)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)


async def test_a_child_that_is_released_before_it_runs_is_not_held(supervise):
    (child,) = supervise.start([python("worker", HELD, held=True)])
    child.release()
    await supervise.until_ready(60)
