"""Children that a fork server makes are children like others: seen, released, restarted, and not tied to the fork server."""

import asyncio
import errno
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from zero.domain.errors import ConfigurationError
from zero.embedded.child import ChildOptions
from zero.embedded.forks import Forks
from zero.embedded.process import ChildCommand
from zero.embedded.supervisor import Supervisor

pytestmark = pytest.mark.skipif(not Forks.possible(), reason="forks need Linux")

SERVER = """
import os, socket, sys, time
from pathlib import Path
from zero.embedded.fork_server import serve
from zero.embedded.lifeline import until_told

def run(words):
    Path(os.environ["PYTHONPATH"], "last").write_text(str(os.getpid()))
    if not Path(os.environ["PYTHONPATH"], "dies").exists():  # then nobody reads
        print(*words, os.environ.get("COLOUR"), os.getppid(), flush=True)
    until_told()
    Path(os.environ["PYTHONPATH"], "last").write_text("began")
    if words[0] == "broken":
        sys.exit(78)
    print("ready", flush=True)
    time.sleep(60)

class Control(socket.socket):
    def send(self, answer):
        if Path(os.environ["PYTHONPATH"], "dies").exists():
            os._exit(1)
        return super().send(answer)

serve(Control(fileno=os.dup(0)), int(sys.argv[1]), lambda words: None, run)
"""


class Forked:
    """A supervisor with a fork server of its own."""

    def __init__(self, folder: Path) -> None:
        (folder / "server_of_the_test.py").write_text(SERVER)
        self.said: list[str] = []
        self.folder = str(folder)
        self.forks = Forks("server_of_the_test", {"PYTHONPATH": str(folder)})
        options = ChildOptions(pause_seconds=0.02, stop_seconds_max=5.0)
        self.supervisor = Supervisor(options, lambda name, line: self.said.append(line), forks=self.forks)

    def start(self, *words: str, held: bool = False):
        program = f"import time; print({words!r}, 'anew ready', flush=True); time.sleep(60)"
        argv = (sys.executable, "-c", program, *words)
        command = ChildCommand("worker", argv, "ready$", {"COLOUR": "blue", "PYTHONPATH": self.folder}, held=held, forked=words)
        return self.supervisor.start([command])[0]


@pytest.fixture
async def forked(tmp_path: Path):
    one = Forked(tmp_path)
    await one.forks.start()
    yield one
    await one.forks.stop()
    await one.supervisor.stop([])


async def until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def shown(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")


async def test_a_fork_is_our_child_with_its_own_environment_and_command_line(forked: Forked):
    child = forked.start("one", "two")
    await forked.supervisor.until_ready(60)
    assert f"one two blue {os.getpid()}" in forked.said
    assert shown(child.pid)[1:] == list(child.command.argv[1:])


async def test_a_held_fork_begins_when_it_is_released(forked: Forked):
    child = forked.start("one", held=True)
    await until(lambda: forked.said)
    await asyncio.sleep(0.1)
    assert not child.ready.is_set()
    child.release()
    await forked.supervisor.until_ready(60)


async def test_how_a_fork_ended_is_known(forked: Forked):
    forked.start("broken")
    with pytest.raises(ConfigurationError, match="worker cannot start with these settings"):
        await forked.supervisor.until_ready(60)


async def test_a_fork_that_is_killed_is_forked_again(forked: Forked):
    child = forked.start("one")
    await forked.supervisor.until_ready(60)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)
    assert any("ended by SIGKILL" in line for line in forked.said)
    assert not any("anew" in line for line in forked.said)


async def test_the_end_of_a_fork_is_seen_also_without_a_descriptor_for_it(forked: Forked, monkeypatch: pytest.MonkeyPatch):
    def none_left(pid: int, flags: int = 0) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", none_left)
    child = forked.start("one")
    await forked.supervisor.until_ready(60)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)
    assert any("ended by SIGKILL" in line for line in forked.said)


async def test_nothing_is_left_of_what_a_killed_child_had_started_not_even_a_zombie(forked: Forked):
    program = (
        "import subprocess, sys, time\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('other', other.pid, flush=True); print('ready', flush=True); time.sleep(60)\n"
    )
    (child,) = forked.supervisor.start([ChildCommand("server", (sys.executable, "-c", program))])
    await forked.supervisor.until_ready(60)
    first, other = child.pid, int(next(line for line in forked.said if "other" in line).split()[-1])
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)
    assert not exists(other)


async def test_forks_outlive_the_fork_server_and_without_one_a_child_is_started_anew(forked: Forked):
    child = forked.start("one")
    await forked.supervisor.until_ready(60)
    first = child.pid
    await forked.forks.stop()
    os.kill(first, 0)
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready.is_set() and child.pid != first)
    assert any("anew ready" in line for line in forked.said)


async def test_a_fork_of_which_nobody_learned_never_begins(forked: Forked, tmp_path: Path):
    (tmp_path / "dies").touch()
    forked.start("one")
    await forked.supervisor.until_ready(60)
    assert any("anew ready" in line for line in forked.said)
    last = tmp_path / "last"
    await until(lambda: last.exists() and last.read_text())
    await until(lambda: last.read_text() == "began" or ended(int(last.read_text())))
    assert last.read_text() != "began"


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
