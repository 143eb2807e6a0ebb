"""The right to work: taking, keeping and losing the lease of one shard."""

from zero.application.drain.events import LeaseTaken
from zero.application.drain.options import DrainOptions
from zero.application.drain.parts import DrainParts
from zero.application.ports import Lease
from zero.domain.errors import LeaseLost, ZeroError


class LeaseKeeper:
    """Holds at most one lease. Freshness only saves work; what keeps rows single are the fences of buffer and store."""

    def __init__(self, shard: int, owner: str, parts: DrainParts, options: DrainOptions) -> None:
        self._shard = shard
        self._owner = owner
        self._parts = parts
        self._options = options
        self._lease: Lease | None = None
        self._renewed = 0.0
        self._lost = ""

    async def acquire(self) -> bool:
        """Try to take the lease."""
        asked = self._parts.clock.monotonic()
        lease = await self._parts.log.acquire(self._shard, self._owner)
        if lease is None:
            return False
        self._lease, self._renewed, self._lost = lease, asked, ""
        self._parts.telemetry.emit(LeaseTaken(self._shard, lease.epoch))
        return True

    async def fresh(self) -> Lease:
        """Return the lease, renewed if that was some time ago. Raises LeaseLost."""
        if self._lease is None or self._lost:
            raise LeaseLost(self._lost or f"shard {self._shard} is not held")
        asked = self._parts.clock.monotonic()
        if asked - self._renewed >= self._options.renew_seconds:
            await self._parts.log.renew(self._lease)
            self._renewed = asked
        return self._lease

    async def heartbeat(self) -> None:
        """Renew the lease beside a long insert. A loss is raised by the next ``fresh``; other errors show up there too."""
        lease = self._lease
        try:
            if lease is not None and not self._lost:
                await self.fresh()
        except LeaseLost as error:
            if self._lease is lease:
                self._lost = error.message
        except ZeroError:
            return  # the drain itself meets the same error at its next step, and knows what to do

    async def release(self) -> None:
        """Give the lease back, if there is one; when that fails it expires."""
        lease = self.drop()
        if lease is not None:
            await self._parts.log.release(lease)

    def drop(self) -> Lease | None:
        """Forget the lease and return it."""
        lease, self._lease, self._lost = self._lease, None, ""
        return lease
