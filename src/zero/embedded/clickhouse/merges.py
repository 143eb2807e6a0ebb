"""Merges give way to inserts and searches: they take the processor time that those leave, and catch up in quiet times.

Parts pile up meanwhile, up to the number from which the engine delays inserts by itself. The engine has a setting of its own
for this, which does nothing without CAP_SYS_NICE; to be nice to others takes no right.
"""

import os
from contextlib import suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")
_NAME = "MergeMutate"
_NICE = 10


def let_merges_give_way() -> bool:
    """Lower the priority of the threads that merge; False while there are none. Outside Linux they stay as they are."""
    found = not _THREADS.is_dir()
    for thread in _THREADS.glob("*/comm"):
        with suppress(OSError):  # it has ended
            if thread.read_text().startswith(_NAME):
                os.setpriority(os.PRIO_PROCESS, int(thread.parent.name), os.getpriority(os.PRIO_PROCESS, 0) + _NICE)
                found = True
    return found
