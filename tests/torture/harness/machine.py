"""How much of this machine others use."""

import time
from pathlib import Path

LOOK_SECONDS = 1.0
_STAT = Path("/proc/stat")


def used_share(seconds: float = LOOK_SECONDS) -> float | None:
    """Return the share of all processors that was used during the next seconds, in which we do nothing; None if unknown."""
    try:
        busy, total = _ticks()
        time.sleep(seconds)
        busy_then, total_then = _ticks()
    except (OSError, ValueError):
        return None
    return round((busy_then - busy) / max(total_then - total, 1), 3)


def _ticks() -> tuple[int, int]:
    """Return (used, all) processor time since the start of the machine."""
    fields = [int(field) for field in _STAT.read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
