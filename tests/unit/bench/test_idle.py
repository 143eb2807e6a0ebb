"""Memory of a family of processes is read from /proc."""

import os

import pytest

idle = pytest.importorskip("bench.idle", reason="the benchmarks live in a clone")


def role_of(pid):
    return next(role.rpartition("-")[0] for role in idle.cpu_seconds(pid) if role.endswith(f"-{pid}"))


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs /proc")  # noqa: PTH110
def test_resident_and_proportional_memory_of_this_process_are_found():
    pid = os.getpid()
    rss, pss = (idle.memory_mib(pid, field)[f"{role_of(pid)}-{pid}"] for field in ("Rss", "Pss"))
    assert rss >= pss > 5
