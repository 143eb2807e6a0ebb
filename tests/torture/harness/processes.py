"""What a process holds at a moment, read from /proc."""

import os
from pathlib import Path


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Return the resident memory, or what of it is files (RssFile); 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), 0.0)


def descriptors(pid: int) -> int:
    """Return how many file descriptors are open; 0 when the process has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - counts, and a Path for each would cost more than the list
    except OSError:
        return 0


def slope_per_hour(points: list[tuple[float, float]]) -> float:
    """Return by how much a value grows in an hour: least squares over (seconds, value)."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread * 3600 if spread else 0.0
