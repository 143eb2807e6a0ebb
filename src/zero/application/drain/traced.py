"""A drain with traces: each traced block is a span, and what was done to it are its parts."""

from collections.abc import Coroutine, Sequence
from typing import Any

from zero.application.drain.intake import Batch, Held
from zero.application.drain.lease import LeaseKeeper
from zero.application.drain.options import DrainOptions
from zero.application.drain.parts import DrainParts
from zero.application.drain.shard import ShardDrain
from zero.application.drain.writer import BlockWriter, Ready, Written
from zero.application.ports import Delivery, RowRange, Tracer
from zero.application.tracing import step, within

_Times = dict[str, tuple[int, int]]


class TracedDrain(ShardDrain):
    """Notes when a block was claimed, verified and encoded; when it is stored it is known whether that is worth a trace."""

    def __init__(self, shard: int, owner: str, parts: DrainParts, options: DrainOptions, tracer: Tracer) -> None:
        super().__init__(shard, owner, parts, options)
        self._tracer = tracer
        self._times: _Times = {}
        self._writer = _TimedWriter(self._keeper, parts, options, self._times)

    async def _read(self, limit: int, wait: float) -> list[Delivery]:
        deliveries = await super()._read(limit, wait)
        if deliveries:  # what came before was waiting for work
            now = self._parts.clock.now_ns()
            self._times["claim"] = (self._times.get("claim", (now, now))[0], now)
        return deliveries

    async def _fill_from_pending(self) -> bool:
        began = self._parts.clock.now_ns()
        more = await super()._fill_from_pending()
        self._times["claim"] = (began, self._parts.clock.now_ns())
        return more

    async def _verify(self, batch: Batch, rows: list[RowRange]) -> list[RowRange]:
        began = self._parts.clock.now_ns()
        absent = await super()._verify(batch, rows)
        self._times["verify"] = (began, self._parts.clock.now_ns())
        return absent

    def _store(self, batch: Batch, ready: Ready) -> Coroutine[Any, Any, None]:
        times = dict(self._times)  # now: the next block is gathered before this one has begun to be stored
        self._times.clear()
        return self._stored(batch, ready, times)

    async def _stored(self, batch: Batch, ready: Ready, times: _Times) -> None:
        span = self._tracer.begin("drain block", start_ns=min((start for start, _ in times.values()), default=None))
        if span is None:
            await super()._store(batch, ready)
            return
        span.note("zero.shard", self.shard)
        span.note("zero.frames", len(batch.held))
        for name, (start, end) in times.items():
            span.child(name, start).end(end_ns=end)
        with within(span):
            await super()._store(batch, ready)

    async def _settle(self, batch: Batch, written: Written) -> None:
        with step("settle"):
            await super()._settle(batch, written)


class _TimedWriter(BlockWriter):
    """The writer of a drain, with the times of its steps."""

    def __init__(self, keeper: LeaseKeeper, parts: DrainParts, options: DrainOptions, times: _Times) -> None:
        super().__init__(keeper, parts, options)
        self._times = times

    def prepare(self, held: Sequence[Held], rows: Sequence[RowRange]) -> Ready:
        """Decode frames and encode them as a block."""
        began = self._parts.clock.now_ns()
        ready = super().prepare(held, rows)
        self._times["encode"] = (began, self._parts.clock.now_ns())
        return ready

    async def write(self, ready: Ready) -> Written:
        """Insert the block."""
        with step("insert"):
            return await super().write(ready)
