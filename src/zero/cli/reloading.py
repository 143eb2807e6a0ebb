"""Settings that change while a process runs: read again on SIGHUP, and taken up where that is safe."""

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from zero.application.settings_events import SettingsRefused, SettingsReloaded
from zero.domain.errors import ConfigurationError
from zero.settings import Settings, environment_name, load

if TYPE_CHECKING:
    from zero.application.ports import Telemetry

RELOADED = ("log_level", "log_format")
"""What a process takes up at once. Certificates are files of their own, taken up too; all else is read at the start alone."""


class Reloading:
    """Reads the settings again when it is called. ``take_up`` gets them when one of RELOADED has changed."""

    def __init__(self, telemetry: "Telemetry", take_up: Callable[[Settings], None]) -> None:
        self._telemetry = telemetry
        self._take_up = take_up
        self._started = self._current = load(os.environ)

    def __call__(self) -> None:
        """Read, take up what can be, and say what cannot."""
        self._telemetry.emit(self.look())

    def look(self) -> SettingsReloaded | SettingsRefused:
        """Read, take up what can be, and return what became of it."""
        try:
            fresh = load(os.environ)
        except ConfigurationError as error:
            return SettingsRefused(error.message)
        taken_up = [name for name in RELOADED if getattr(fresh, name) != getattr(self._current, name)]
        if taken_up:
            self._take_up(fresh)
        waiting = [
            item.name
            for item in fields(fresh)
            if item.name not in RELOADED and getattr(fresh, item.name) != getattr(self._started, item.name)
        ]
        self._current = fresh
        return SettingsReloaded(", ".join(taken_up) or "none", ", ".join(waiting) or "none")


def left_to_children(settings: Settings, environment: Mapping[str, str]) -> set[str]:
    """Return the variables that a child reads from the file itself, so that it sees them change: those nothing overrules."""
    found = load(environment)
    names = {name for name in RELOADED if environment_name(name) not in environment}
    return {environment_name(name) for name in names if getattr(found, name) == getattr(settings, name)}
