"""A sampled profile of a running Python process, taken with py-spy: where its time went."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RATE_HZ = 100
SHOWN = 12
# Threads of a pool that wait for work, where py-spy cannot tell that they do.
WAITING = {"_worker (concurrent/futures/thread.py)", "Condition.wait (threading.py)"}


def collapsed(text: str) -> tuple[Counter[str], int]:
    """Return samples by innermost function, and their sum, of py-spy's raw form: ``outer;inner COUNT`` a line."""
    leaves: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        function = _function(stack.rsplit(";", 1)[-1])
        if stack and count.isdigit() and function not in WAITING:
            leaves[function] += int(count)
    return leaves, leaves.total()


def _function(frame: str) -> str:
    """Return ``function (module)`` of a frame, without its line."""
    name, _, place = frame.partition(" (")
    module = place.rstrip(")").partition(":")[0]
    parts = Path(module).parts
    inside = parts[parts.index("site-packages") + 1 :] if "site-packages" in parts else parts[-3:]
    return f"{name} ({'/'.join(inside)})" if module else name


@contextmanager
def sampled(pid: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Sample the process for that long, in the background; what is yielded is filled at the end, and empty without py-spy."""
    found: dict[str, Any] = {}
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if spy is None:
        yield found
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stacks"
        command = [spy, "record", "--pid", str(pid), "--duration", str(max(1, round(seconds)))]
        options = ["--rate", str(RATE_HZ), "--format", "raw", "--output", str(path)]
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield found
        finally:
            try:
                process.wait(seconds + 30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if path.exists():
                found.update(summary(path.read_text()))


def summary(text: str) -> dict[str, Any]:
    """Return the functions in which the most samples lie, and each one's share in percent."""
    leaves, total = collapsed(text)
    shares = {name: round(100 * count / total, 1) for name, count in leaves.most_common(SHOWN)} if total else {}
    return {"samples": total, "self_percent": shares}
