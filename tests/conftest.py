"""What the whole tree shares: patience with a machine that has other work."""

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

TRIES_MAX = 4
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_again = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_again] = []


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Give a test marked ``timed`` a few tries: a stall of the machine passes, a defect fails them all."""
    if item.get_closest_marker("timed") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for tried in range(1, TRIES_MAX + 1):
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report for report in reports if report.failed]
        if not failed or tried == TRIES_MAX:
            break
        item.config.stash[_again].append(f"{item.nodeid}, try {tried}: {_reason(failed[0])}")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message).splitlines()[0] if crash else report.when


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests were tried again: a name that comes back in run after run is not the machine's."""
    for line in config.stash[_again]:
        terminalreporter.write_line(f"tried again: {line}")
