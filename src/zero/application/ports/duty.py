"""Work that one process does for all."""

from typing import Protocol


class Duty(Protocol):
    """Whose turn it is to do a piece of work. Raises BufferUnavailable or Overloaded."""

    async def take(self) -> bool:
        """Say whether this process has the duty: it keeps it until it leaves it, ends, or is not heard of for its lease."""

    async def leave(self) -> None:
        """Let another process have it."""
