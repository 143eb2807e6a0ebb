"""The batch ids of an ingest process, made under an epoch that is its own."""

import asyncio

from zero.application.ports import Buffer, Clock
from zero.domain.batch_id import BatchIds
from zero.domain.errors import Overloaded, Unavailable

RENEW_SECONDS = 600.0
"""For how long an epoch is used: the counter comes round after 16,384, and would have to within this time."""
_RETRY_SECONDS = 60.0
_PATIENCE_SECONDS = 0.2


class ProcessIds:
    """Takes an epoch from the buffer when there is none yet, when the last one is lost, and when it is ten minutes old."""

    def __init__(self, buffer: Buffer, clock: Clock) -> None:
        self._buffer = buffer
        self._clock = clock
        self._ids: BatchIds | None = None
        self._lost = False
        self._renew_at = 0.0

    async def current(self) -> BatchIds:
        """Return what gives out ids now. Raises what the buffer raises when there is no epoch to go on with."""
        if self._ids is None or self._lost:
            return self._under(await self._buffer.next_process_epoch())
        if self._clock.monotonic() >= self._renew_at:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    return self._under(await self._buffer.next_process_epoch())
            except (Overloaded, Unavailable, TimeoutError):
                self._renew_at = self._clock.monotonic() + _RETRY_SECONDS  # the claim on the old one is good for longer
        return self._ids

    def lose(self) -> None:
        """Take note that the epoch may be another's, too: nothing more is made under it."""
        self._lost = True

    def _under(self, epoch: int) -> BatchIds:
        if self._ids is None:
            self._ids = BatchIds(epoch)
        else:
            self._ids.renew(epoch)
        self._lost, self._renew_at = False, self._clock.monotonic() + RENEW_SECONDS
        return self._ids
