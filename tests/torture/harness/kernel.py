"""Faults that only the kernel can do: lost packets and a slow line, on the loopback of a network namespace of one's own.

They need Linux, root, and nft, tc, ip and unshare; ``why_not`` says what is missing. A run moves into a namespace as a process
of its own, with everything that it starts, so nothing outside is touched.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.lan import MACHINES
from bench.record import ROOT
from tests.torture.harness.trial import Outcome, Plan

INSIDE = "TORTURE_NAMESPACE"
PROGRAMS = ("nft", "tc", "ip", "unshare")
NETWORK = ("--net",)
PACKET_BYTES = 1500
OUTCOME = "outcome: "


def why_not() -> str:
    """Return why the kernel's faults cannot be had here; empty when they can."""
    if sys.platform != "linux":
        return "they need Linux"
    if os.geteuid():
        return "they need root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"they need {', '.join(missing)} (Debian: nftables, iproute2, util-linux)"
    tried = subprocess.run(["unshare", *MACHINES, "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "namespaces are not allowed here"


def inside() -> bool:
    """Say whether this process is in a namespace of its own."""
    return os.environ.get(INSIDE) == "1"


def run_inside(plan: Plan, module: str, kinds: Sequence[str] = NETWORK) -> Outcome:
    """Run a part of a trial in namespaces of some kinds; ``module`` calls ``serve``."""
    only = json.dumps(sorted(plan.only) if plan.only is not None else None)
    command = ["unshare", *kinds, sys.executable, "-m", module, str(plan.seed), str(plan.amount), str(plan.folder), only]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, INSIDE: "1"}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = Outcome(problems=["the run in a namespace ended without an outcome"])
        for line in process.stdout:
            if line.startswith(OUTCOME):
                said = json.loads(line.removeprefix(OUTCOME))
                found = Outcome(**said | {name: Counter(said[name]) for name in ("counts", "hits")})
            else:
                plan.say(line.rstrip("\n"))
    return found


def serve(run: Callable[[Plan], Outcome]) -> None:
    """Run a part in the namespace that this process is in: SEED AMOUNT FOLDER ONLY; the last line is the outcome."""
    seed, amount, folder, only = sys.argv[1:]
    chosen = json.loads(only)
    outcome = run(Plan(int(seed), int(amount), Path(folder), None if chosen is None else frozenset(chosen), say=_flushed))
    found = asdict(outcome) | {name: dict(getattr(outcome, name)) for name in ("counts", "hits")}
    print(f"{OUTCOME}{json.dumps(found)}")


def _flushed(line: str) -> None:
    print(line, flush=True)


def open_line() -> None:
    """Bring the namespace's loopback up, with packets of the usual size."""
    _do("ip", "link", "set", "lo", "mtu", str(PACKET_BYTES), "up")


def lose(ports: Sequence[int], percent: int) -> None:
    """Drop so many of the packets from and to the ports."""
    among = "{ " + ", ".join(map(str, ports)) + " }"
    _do("nft", "add table ip torture; add chain ip torture line { type filter hook input priority 0; }")
    for end in ("dport", "sport"):
        _do("nft", f"add rule ip torture line tcp {end} {among} numgen random mod 100 < {percent} counter drop")


def crawl(megabits_per_second: int) -> None:
    """Let no more through."""
    _do("tc", *f"qdisc add dev lo root tbf rate {megabits_per_second}mbit burst 32kb latency 400ms".split())


def heal() -> int:
    """Lift what was set; return how many packets it dropped or held back."""
    rules = _do("nft", "list ruleset")
    dropped = sum(int(count) for count in re.findall(r"counter packets (\d+)", rules))
    held = sum(int(count) for count in re.findall(r"overlimits (\d+)", _do("tc", "-s", "qdisc", "show", "dev", "lo")))
    if rules:
        _do("nft", "flush ruleset")
    subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], capture_output=True, check=False)
    return dropped + held


def _do(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
