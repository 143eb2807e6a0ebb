"""Whether this process would accept logs now, and what its acknowledgement means."""

import asyncio
from dataclasses import dataclass

from zero.application.ports import Buffer
from zero.domain.errors import ZeroError


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """Ready when there are no ``reasons`` against it. ``durability`` is that of the buffer, or ``unknown``."""

    durability: str = "unknown"
    detail: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether logs would be accepted."""
        return not self.reasons


class Readiness:
    """Looks at the buffer, for at most ``timeout_seconds``."""

    def __init__(self, buffer: Buffer, *, strict_durability: bool = False, timeout_seconds: float = 1.0) -> None:
        self._buffer = buffer
        self._strict_durability = strict_durability
        self._timeout_seconds = timeout_seconds

    async def check(self) -> ReadinessReport:
        """Return what was found; never raises because of the buffer."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                durability = await self._buffer.durability()
                level = await self._buffer.level()
        except TimeoutError:
            return ReadinessReport(reasons=(f"the buffer does not answer within {self._timeout_seconds:g} s",))
        except ZeroError as error:
            return ReadinessReport(reasons=(error.message,))
        reasons = []
        if self._strict_durability and durability.mode != "durable":
            reasons.append(f"durability is {durability.mode} but has to be strict: {durability.detail}")
        if level.limit_bytes and level.used_bytes >= level.limit_bytes:
            reasons.append(f"the buffer is full: {level.used_bytes} of {level.limit_bytes} bytes")
        return ReadinessReport(durability.mode, durability.detail, tuple(reasons))
