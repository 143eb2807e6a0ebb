"""SIGHUP to a running ``zero up``: what is safe is taken up by every role, the rest is named, and nothing stops."""

import os
import signal
import sys

import pytest

from tests.e2e.test_up import Platform, child_pids
from tests.patience import READY_SECONDS_MAX


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_hangup_reloads_every_role_and_stops_none(tmp_path):
    platform = Platform(tmp_path)
    platform.environment["ZERO_INGEST_WORKERS"] = "1"
    platform.up()
    try:
        before = {role: child_pids(platform, role) for role in ("ingest", "drain", "api")}
        (tmp_path / "zero.toml").write_text('log_format = "json"\nretention_days = 7\n')
        os.kill(platform.process.pid, signal.SIGHUP)
        platform.until(lambda: said(platform).count('"event": "settings reloaded"') >= 3, READY_SECONDS_MAX)
        assert "the settings stay" not in said(platform)
        assert '"taken_up": "log_format"' in said(platform)
        platform.until(lambda: "taken up: log_format; needs a restart: retention_days" in said(platform), READY_SECONDS_MAX)
        (tmp_path / "zero.toml").write_text("log_format = 7\n")
        os.kill(platform.process.pid, signal.SIGHUP)
        platform.until(lambda: said(platform).count("settings refused") >= 3, READY_SECONDS_MAX)
        assert {role: child_pids(platform, role) for role in before} == before
        assert platform.post({"message": "still there"})[0] == 202
        assert platform.stop() == 0, said(platform)
    finally:
        if platform.process.poll() is None:
            platform.process.kill()
            platform.process.wait()


def said(platform):
    return platform.said()
