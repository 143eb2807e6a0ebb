import asyncio
import os
import signal

import pytest

from zero.application.hangup import on_hangup
from zero.application.settings_events import SettingsRefused, SettingsReloaded
from zero.cli.reloading import RELOADED, Reloading, left_to_children
from zero.settings import PREFIX, Settings


class Telemetry:
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


@pytest.fixture
def reloading(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    file = tmp_path / "zero.toml"
    file.write_text("")
    monkeypatch.setenv("ZERO_CONFIG", str(file))
    telemetry, taken = Telemetry(), []
    made = Reloading(telemetry, taken.append)
    made.file, made.events, made.taken = file, telemetry.events, taken
    return made


def test_what_is_safe_is_taken_up_and_the_rest_is_named_until_a_restart(reloading):
    reloading.file.write_text('log_level = "debug"\nretention_days = 7\napi_key = "sesame"\n')
    reloading()
    assert reloading.events[-1] == SettingsReloaded("log_level", "retention_days, api_key")
    assert [settings.log_level for settings in reloading.taken] == ["debug"]
    reloading()
    assert reloading.events[-1] == SettingsReloaded("none", "retention_days, api_key")
    assert "sesame" not in str(reloading.events)
    reloading.file.write_text("")
    reloading()
    assert reloading.events[-1] == SettingsReloaded("log_level", "none")
    assert reloading.taken[-1].log_level == "info"


def test_a_file_that_cannot_be_used_changes_nothing(reloading):
    reloading.file.write_text('log_level = "loud"\n')
    reloading()
    assert isinstance(reloading.events[-1], SettingsRefused)
    reloading.file.write_text("log_level = ")
    reloading()
    assert isinstance(reloading.events[-1], SettingsRefused)
    assert reloading.taken == []


def test_a_child_reads_from_the_file_what_neither_flag_nor_environment_overrules(reloading, monkeypatch):
    both = {f"{PREFIX}{name.upper()}" for name in RELOADED}
    assert left_to_children(Settings(), os.environ) == both
    assert left_to_children(Settings(log_level="debug"), os.environ) == both - {"ZERO_LOG_LEVEL"}
    monkeypatch.setenv("ZERO_LOG_FORMAT", "text")
    assert left_to_children(Settings(), os.environ) == both - {"ZERO_LOG_FORMAT"}


async def test_everybody_who_asked_is_called_at_a_hangup_and_nobody_after():
    called = []
    with on_hangup(lambda: called.append("role")):
        with on_hangup(lambda: called.append("tls")):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
    assert called == ["role", "tls", "role"]
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
