"""Machines on a bridge: each a network namespace with an address of its own; it can be killed, switched off and cut off.

All of it lives in namespaces of the run's own (``unshare MACHINES``), and is gone when the run's first process ends.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

MACHINES = ("--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What ``unshare`` is asked for: a network in which more namespaces can be made, all of which end with the first process."""
BRIDGE = "br0"
PREFIX = "10.77.0."
NAMES = Path("/run/netns")
SILENCE = {"mute": "output", "deaf": "input"}
"""Half-open lines: what leaves the machine is lost and what comes arrives, or the other way round."""
KILL_SECONDS_MAX = 10.0
TRY_SECONDS = 0.3


def why_not() -> str:
    """Return why machines on a bridge cannot be had here; empty when they can."""
    steps = (
        f"mkdir -p {NAMES}",
        f"mount -t tmpfs machines {NAMES}",
        "ip netns add tried",
        "ip link add br0 type bridge",
        "ip link add port type veth peer name eth0 netns tried",
        "ip netns exec tried nft list ruleset",
    )
    tried = subprocess.run(["unshare", *MACHINES, "sh", "-c", " && ".join(steps)], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"there can be no machines on a bridge here ({tried.stderr.strip()[:200]})"


def lay_out() -> None:
    """Make the bridge, with this process on it at the first address."""
    NAMES.mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "machines", str(NAMES))
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", BRIDGE, "type", "bridge")
    _do("ip", "address", "add", f"{PREFIX}1/24", "dev", BRIDGE)
    _do("ip", "link", "set", BRIDGE, "up")


class Machine:
    """One machine. ``commands`` are what runs on it, with their environments; what they say goes to one file."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.name = name
        self.address = f"{PREFIX}{number}"
        self.log = folder / f"{name}.log"
        self.commands: list[tuple[Sequence[str], Mapping[str, str]]] = []
        self._port = f"port{number}"
        self._children: list[subprocess.Popen[bytes]] = []
        _do("ip", "netns", "add", name)
        _do("ip", "link", "add", self._port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _do("ip", "link", "set", self._port, "master", BRIDGE, "up")
        for words in (f"address add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _do("ip", "-n", name, *words.split())

    @property
    def within(self) -> tuple[str, ...]:
        """What a command is started by to run on the machine."""
        return ("ip", "netns", "exec", self.name)

    def start(self) -> None:
        """Start what runs on the machine, without waiting."""
        with self.log.open("ab") as output:
            for argv, environment in self.commands:
                how = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
                self._children.append(subprocess.Popen([*self.within, *argv], env=dict(environment), **how))  # type: ignore[call-overload]

    def kill(self) -> int:
        """Send SIGKILL to everything on the machine until nothing is left; return how many processes that were."""
        killed: set[int] = set()
        until = time.monotonic() + KILL_SECONDS_MAX
        while (pids := self.pids()) and time.monotonic() < until:
            for pid in pids:
                _kill(pid)
            killed.update(pids)
            time.sleep(0.01)
        for child in self._children:
            child.wait(KILL_SECONDS_MAX)
        self._children.clear()
        return len(killed)

    def unplug(self) -> None:
        """Take the line away: both ends see that it is gone, the others of the network do not."""
        _do("ip", "link", "set", self._port, "down")

    def plug(self) -> None:
        """Give the line back."""
        _do("ip", "link", "set", self._port, "up")

    def silence(self, kind: str) -> None:
        """Lose what leaves the machine (``mute``), or what comes to it (``deaf``), without anybody being told."""
        hook = SILENCE[kind]
        rules = f"add table ip cut; add chain ip cut line {{ type filter hook {hook} priority 0; }}"
        way = "oifname" if hook == "output" else "iifname"
        _do(*self.within, "nft", f"{rules}; add rule ip cut line {way} eth0 counter drop")

    def listen(self) -> int:
        """Lift the silence; return how many packets it took."""
        lost = sum(int(count) for count in re.findall(r"counter packets (\d+)", _do(*self.within, "nft", "list ruleset")))
        _do(*self.within, "nft", "flush ruleset")
        return lost

    def reached(self, port: int) -> bool:
        """Say whether a connection from here succeeds."""
        try:
            socket.create_connection((self.address, port), TRY_SECONDS).close()
        except OSError:
            return False
        return True

    def answers(self, port: int) -> bool:
        """Say whether the machine answers a connection from here, if only by refusing it."""
        try:
            socket.create_connection((self.address, port), TRY_SECONDS).close()
        except OSError as error:
            return isinstance(error, ConnectionRefusedError)
        return True

    def traffic(self) -> tuple[int, int]:
        """Return the bytes that came to the machine and left it so far, headers included."""
        (line,) = json.loads(_do("ip", "-n", self.name, "-s", "-j", "link", "show", "eth0"))
        return line["stats64"]["rx"]["bytes"], line["stats64"]["tx"]["bytes"]

    def pids(self) -> list[int]:
        """Return what lives on the machine; what has ended and was not waited for does not count."""
        found = (int(line) for line in _do("ip", "netns", "pids", self.name).split())
        return [pid for pid in found if not _ended(pid)]

    def said(self) -> str:
        """Return the last words of what runs on it."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
