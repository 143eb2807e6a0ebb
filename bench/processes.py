"""What processes use: processor time and peak memory, read from /proc, named by role."""

import os
from itertools import pairwise
from pathlib import Path

COMMANDS = ("ingest", "drain", "api", "up", "bench", "migrate")


def role_of(command: str) -> str:
    """Return the role that a command line plays: the command of ``zero``, or the name of the program."""
    words = command.split()
    if "zero.embedded.clickhouse" in words:
        return "clickhouse"
    if "zero.cli.fork_server" in words:
        return "forks"
    for before, word in pairwise(words):
        if word in COMMANDS and Path(before).name == "zero":
            return word
    return "valkey" if "valkey" in command else Path(words[0]).name if words else "?"


def family(root: int) -> dict[int, str]:
    """Return the process id and command line of a process and of every descendant."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except (OSError, ValueError):
            continue
    found = {root}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return {pid: commands[pid] for pid in sorted(found) if pid in commands}


def peak_memory_mib(root: int) -> dict[str, float]:
    """Return the peak resident memory of each process of the family, named by its role and id."""
    peaks = {}
    for pid, command in family(root).items():
        for line in _read(pid, "status").splitlines():
            if line.startswith("VmHWM"):
                peaks[f"{role_of(command)}-{pid}"] = round(int(line.split()[1]) / 1024, 1)
    return peaks


def cpu_seconds(root: int) -> dict[str, float]:
    """Return the processor time used so far by each process of the family, named by its role and id."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {}
    for pid, command in family(root).items():
        fields = _read(pid, "stat").rpartition(")")[2].split()
        if fields:
            used[f"{role_of(command)}-{pid}"] = (int(fields[11]) + int(fields[12])) / ticks
    return used


def used_since(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what each process used between two looks."""
    return {name: round(seconds - before.get(name, 0), 2) for name, seconds in after.items()}


def by_role(figures: dict[str, float]) -> dict[str, float]:
    """Return the sums over the processes of each role."""
    sums: dict[str, float] = {}
    for name, value in figures.items():
        role = name.rpartition("-")[0]
        sums[role] = round(sums.get(role, 0) + value, 2)
    return sums


def _read(pid: int, name: str) -> str:
    """Return a file of the process, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
