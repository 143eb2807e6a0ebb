"""Several shards' drains in one process."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from zero.application.background import end
from zero.application.drain.shard import HELD, DrainState, ShardDrain
from zero.application.ports import ShardLog
from zero.domain.errors import ZeroError


@dataclass(frozen=True, slots=True)
class DrainServiceOptions:
    """``heartbeat_seconds`` is well under the lease's time to live; ``drain_seconds`` bounds the drain-to-empty at a stop.

    ``look_seconds`` is how often the buffer is asked for shards that were not known.
    """

    heartbeat_seconds: float = 0.5
    drain_seconds: float = 5.0
    look_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class ShardShare:
    """The part of the buffer's shards that is one process's: ``first``, and each ``step`` further on.

    So the processes of the shards that are set drain those too that are left of a higher setting.
    """

    first: int = 0
    step: int = 1

    def of(self, shards: int) -> range:
        """Return which of so many shards these are; the first always is."""
        return range(self.first, max(shards, self.first + 1), self.step)


class DrainService:
    """Runs the drains until told to stop. A drain that breaks ends the process: its successor recovers by verifying."""

    def __init__(
        self,
        make: Callable[[int], ShardDrain],
        log: ShardLog,
        share: ShardShare,
        shards: int,
        options: DrainServiceOptions | None = None,
    ) -> None:
        self._make = make
        self._log = log
        self._share = share
        self._options = options or DrainServiceOptions()
        self._drains = [make(shard) for shard in share.of(shards)]

    @property
    def ready(self) -> bool:
        """Whether every shard is drained, here or elsewhere."""
        return all(drain.ready for drain in self._drains)

    def holds(self, shard: int) -> bool:
        """Whether it is this process that drains the shard."""
        return any(drain.shard == shard and drain.state in HELD for drain in self._drains)

    def states(self) -> dict[int, tuple[DrainState, str]]:
        """Return (state, last error or '') of each shard, for the readiness page."""
        return {drain.shard: (drain.state, drain.last_error) for drain in self._drains}

    async def run(self, stop: asyncio.Event) -> None:
        """Drain every shard until ``stop`` is set, then finish what is in hand."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(drain.run()) for drain in self._drains]
            scout = group.create_task(self._look(lambda drain: running.append(group.create_task(drain.run())), stop))
            heart = group.create_task(self._beat())
            stopper = group.create_task(self._stop_when(stop, scout))
            while left := [task for task in running if not task.done()]:
                await asyncio.wait(left)
            await end(scout, heart, stopper)

    async def _look(self, start: Callable[[ShardDrain], None], stop: asyncio.Event) -> None:
        """Drain shards of ours that others append to, or did, beside those we are set to; no more once stopping."""
        while not stop.is_set():
            with suppress(ZeroError):  # the drains meet the same error, and tell
                shards = await self._log.shards()
                if stop.is_set():
                    return  # a cancellation may have been lost: what is started now would never be told to stop
                for shard in list(self._share.of(shards))[len(self._drains) :]:
                    self._drains.append(self._make(shard))
                    start(self._drains[-1])
            await asyncio.sleep(self._options.look_seconds)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._options.heartbeat_seconds)
            await asyncio.gather(*(drain.heartbeat() for drain in self._drains))

    async def _stop_when(self, stop: asyncio.Event, scout: "asyncio.Task[None]") -> None:
        await stop.wait()
        for drain in self._drains:
            drain.stop(self._options.drain_seconds)
        await end(scout)
