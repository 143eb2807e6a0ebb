"""One deadline for the stop of everything, stage after stage."""

from collections.abc import Mapping
from dataclasses import dataclass

_STAGE_SECONDS_MIN = 0.5
"""What a stage has in any case: to be asked to end and killed in one breath is not to be asked."""


@dataclass(frozen=True, slots=True)
class StopTime:
    """How long a stop may take. ``by`` says by which part of it the children of a name have ended; those of none end last.

    What a stage does not need is the next one's. The last has ``last_seconds_min`` although nothing may be left.
    """

    seconds_max: float
    by: Mapping[str, float]
    last_seconds_min: float

    def left(self, name: str, passed_seconds: float) -> float:
        """Return how many seconds the stage of that name has when so many have passed."""
        seconds_min = _STAGE_SECONDS_MIN if name in self.by else self.last_seconds_min
        return max(self.seconds_max * self.by.get(name, 1.0) - passed_seconds, seconds_min)
