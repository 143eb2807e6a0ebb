"""How much memory we may use: what the machine has, or what a control group (a container, a systemd slice) leaves of it."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def memory_limit(root: Path = Path("/")) -> int:
    """Return bytes. Source: the control groups of this process, version 1 or 2, and those around them in /sys/fs/cgroup."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limit_files(root):
        try:
            text = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():  # or "max"
            limits.append(int(text))
    return min(limits)


def _limit_files(root: Path) -> Iterator[Path]:
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, name = ("memory", "memory.limit_in_bytes") if controllers else ("", "memory.max")
        for folder in (PurePosixPath(path), *PurePosixPath(path).parents):
            yield root / "sys/fs/cgroup" / mount / folder.relative_to("/") / name
