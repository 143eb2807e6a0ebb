"""What the whole tree shares: patience with a machine that has other work, and how the tests are shared out."""

import os
import signal
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

TRIES_MAX = 4
WORKERS_MAX = 6
WORKER_MEMORY_BYTES = 2 << 30
"""What a worker may need with its servers: most of it is for an embedded store or two."""
NAME_BYTES_MAX = 32
AGAIN = "tried again"
NEW_EXAMPLES = "ZERO_TEST_NEW_EXAMPLES" in os.environ
"""Whether properties look at new examples: else at the same in every run, so that a red one is red for its change."""
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not NEW_EXAMPLES)
settings.load_profile("patient")


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to end ends what it has started


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores, since a good part of the time is waiting; fewer where memory is short."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((os.cpu_count() or 1) + 1, memory_bytes // WORKER_MEMORY_BYTES, WORKERS_MAX))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes that are no name by their argument: compressed ones hold the time, and workers must collect the same names."""
    return argname if isinstance(val, bytes) and not (len(val) <= NAME_BYTES_MAX and val.isascii() and val.isalnum()) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules with slow tests first, so that no worker begins a long one when the others are about to end."""
    slow: dict[Path, int] = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -slow[item.path])


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Give a test marked ``timed`` a few tries: a stall of the machine passes, a defect fails them all."""
    if item.get_closest_marker("timed") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    again = []
    for tried in range(1, TRIES_MAX + 1):
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report for report in reports if report.failed]
        if not failed or tried == TRIES_MAX:
            break
        again.append((AGAIN, f"{item.nodeid}, try {tried}: {_reason(failed[0])}"))
    reports[-1].user_properties += again
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message).splitlines()[0] if crash else report.when


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were tried again: a name that comes back in run after run is not the machine's."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, line in getattr(report, "user_properties", ()):
                if name == AGAIN:
                    terminalreporter.write_line(f"{AGAIN}: {line}")
