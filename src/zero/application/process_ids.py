"""The batch ids of an ingest process, made under an epoch that is its own."""

import asyncio

from zero.application.background import end
from zero.application.ports import Buffer, Clock
from zero.domain.batch_id import BatchIds
from zero.domain.errors import BufferUnavailable, Overloaded, Unavailable

RENEW_SECONDS = 600.0
"""For how long an epoch is used: the counter comes round after 16,384, and would have to within this time."""
USED_SECONDS_MAX = 1_200.0
"""For how long it is used when there is no other: the claim on it is good for longer (infrastructure/redis/epoch.py)."""
_RETRY_SECONDS = 60.0


class ProcessIds:
    """Takes an epoch from the buffer when there is none yet, when the last one is lost, and when it is ten minutes old.

    Who needs one waits for it for ``patience_seconds``.
    """

    def __init__(self, buffer: Buffer, clock: Clock, patience_seconds: float) -> None:
        self._buffer = buffer
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._ids: BatchIds | None = None
        self._renew_at = self._good_until = float("-inf")
        self._taking: asyncio.Task[BatchIds] | None = None

    async def current(self, patience_seconds: float | None = None) -> BatchIds:
        """Return what gives out ids now. Raises what the buffer raises when there is no epoch to go on with, and
        BufferUnavailable when it gives none in time."""
        now = self._clock.monotonic()
        if self._ids is not None and now < self._renew_at:
            return self._ids
        try:
            return await self._taken(self._patience_seconds if patience_seconds is None else patience_seconds)
        except (Overloaded, Unavailable):
            if self._ids is None or now >= self._good_until:
                raise
            self._renew_at = now + _RETRY_SECONDS
            return self._ids

    def lose(self) -> None:
        """Take note that the epoch may be another's, too: nothing more is made under it."""
        self._renew_at = self._good_until = float("-inf")

    async def close(self) -> None:
        """Take no epoch any more."""
        if self._taking is not None:
            await end(self._taking)

    async def _taken(self, patience_seconds: float) -> BatchIds:
        """Wait a moment for an epoch. It is taken to the end also when nobody waits: a slow disk would never give one else."""
        if self._taking is None or self._taking.done():
            self._taking = asyncio.get_running_loop().create_task(self._take())
            self._taking.add_done_callback(lambda taken: taken.cancelled() or taken.exception())  # perhaps nobody waits
        taking = self._taking
        done, _ = await asyncio.wait((taking,), timeout=patience_seconds)
        if not done:
            raise BufferUnavailable("the buffer has given this process no epoch yet; nothing of this request was stored")
        return taking.result()

    async def _take(self) -> BatchIds:
        epoch = await self._buffer.next_process_epoch()
        now = self._clock.monotonic()
        self._renew_at, self._good_until = now + RENEW_SECONDS, now + USED_SECONDS_MAX
        if self._ids is None:
            self._ids = BatchIds(epoch)
        else:
            self._ids.renew(epoch)
        return self._ids
