"""Processes are named by what they do, and what they use is read from /proc."""

import os

import pytest

processes = pytest.importorskip("bench.processes", reason="the benchmarks live in a clone")


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("/x/.venv/bin/python -P -m zero drain --shard 0", "drain"),
        ("/x/.venv/bin/python /x/.venv/bin/zero bench drain", "bench"),
        ("/x/.venv/bin/python -m zero up", "up"),
        ("/x/.venv/bin/python -P -m zero.embedded.clickhouse --path /tmp/up", "clickhouse"),
        ("/x/valkey-server unixsocket:/tmp/a", "valkey"),
        ("/usr/bin/wrk -t1 http://127.0.0.1:1/", "wrk"),
        ("", "?"),
    ],
)
def test_a_command_line_is_named_by_its_role(command, role):
    assert processes.role_of(command) == role


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")  # noqa: PTH110
def test_processor_time_and_memory_of_this_process_are_found():
    pid = os.getpid()
    used = {name: seconds for name, seconds in processes.cpu_seconds(pid).items() if name.endswith(f"-{pid}")}
    peaks = {name: mib for name, mib in processes.peak_memory_mib(pid).items() if name.endswith(f"-{pid}")}
    assert next(iter(used.values())) > 0
    assert next(iter(peaks.values())) > 5


def test_figures_of_processes_are_summed_by_role():
    assert processes.by_role({"ingest-1": 1.0, "ingest-22": 0.5, "api-3": 2.0}) == {"ingest": 1.5, "api": 2.0}
    assert processes.used_since({"a-1": 1.0}, {"a-1": 1.5, "b-2": 0.25}) == {"a-1": 0.5, "b-2": 0.25}
