"""Several shards' drains in one process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from zero.application.drain.shard import DrainState, ShardDrain


@dataclass(frozen=True, slots=True)
class DrainServiceOptions:
    """``heartbeat_seconds`` is well under the lease's time to live; ``drain_seconds`` bounds the drain-to-empty at a stop."""

    heartbeat_seconds: float = 1.0
    drain_seconds: float = 5.0


class DrainService:
    """Runs the drains until told to stop. A drain that breaks ends the process: its successor recovers by verifying."""

    def __init__(self, drains: Sequence[ShardDrain], options: DrainServiceOptions | None = None) -> None:
        self._drains = drains
        self._options = options or DrainServiceOptions()

    @property
    def ready(self) -> bool:
        """Whether every shard is drained, here or elsewhere."""
        return all(drain.ready for drain in self._drains)

    def states(self) -> dict[int, tuple[DrainState, str]]:
        """Return (state, last error or '') of each shard, for the readiness page."""
        return {drain.shard: (drain.state, drain.last_error) for drain in self._drains}

    async def run(self, stop: asyncio.Event) -> None:
        """Drain every shard until ``stop`` is set, then finish what is in hand."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(drain.run()) for drain in self._drains]
            heart = group.create_task(self._beat())
            stopper = group.create_task(self._stop_when(stop))
            await asyncio.wait(running)
            heart.cancel()
            stopper.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._options.heartbeat_seconds)
            await asyncio.gather(*(drain.heartbeat() for drain in self._drains))

    async def _stop_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        for drain in self._drains:
            drain.stop(self._options.drain_seconds)
