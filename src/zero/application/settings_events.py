"""What is reported when settings are read again."""

from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class SettingsReloaded(Event):
    """The settings were read again: some are taken up, others wait for a restart. Only names are told, never values."""

    name: ClassVar[str] = "settings_reloaded"
    level: ClassVar[str | None] = "info"
    help: ClassVar[str] = "Times that the settings were read again"

    taken_up: str
    needs_a_restart: str


@dataclass(frozen=True, slots=True)
class SettingsRefused(Event):
    """The settings cannot be read; those of before stay."""

    name: ClassVar[str] = "settings_refused"
    level: ClassVar[str | None] = "error"
    help: ClassVar[str] = "Times that new settings could not be used"

    message: str
