"""The ledger: what became of the entries of one tenant."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MILLISECONDS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class TenantLedger:
    """Entries of one tenant; at every quiet moment accepted = stored + dead_lettered + in_buffer.

    ``dropped`` are those of the dead-lettered whose letters were deleted on purpose. ``stored_by_day`` holds those stored by
    the day of their receipt, for the days that retention has not taken.
    """

    accepted: int = 0
    stored: int = 0
    dead_lettered: int = 0
    in_buffer: int = 0
    dropped: int = 0
    stored_by_day: Mapping[int, int] = field(default_factory=dict, compare=False)


def day_of(received_ms: int) -> int:
    """Return the day (UTC, counted from 1970) of a time in Unix milliseconds."""
    return received_ms // MILLISECONDS_PER_DAY
