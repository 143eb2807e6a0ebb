"""A duty: background work that one process at a time does for all of them."""

from typing import Protocol


class Duty(Protocol):
    """Elects the process that does a piece of work. Raises BufferUnavailable or Overloaded."""

    async def take(self) -> bool:
        """Take or keep the duty; say whether this process has it. It is lost by ``leave``, or when its lease expires."""

    async def leave(self) -> None:
        """Give the duty up, so that another process can take it."""
