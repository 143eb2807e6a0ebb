"""What the supervisor tells."""

from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class ChildRestarted(Event):
    """A supervised process ended by itself and is started again."""

    name: ClassVar[str] = "restarts"
    labels: ClassVar[tuple[str, ...]] = ("proc",)
    help: ClassVar[str] = "Supervised processes that ended by themselves and were started again"

    proc: str
