"""Drains and servers with one protection missing: what the simulator must notice."""

from collections.abc import Callable, Sequence
from copy import copy

from tests.torture.simulator.scenario import MakeDrain, Scenario, Verdict
from tests.torture.simulator.servers import Safety
from zero.application.drain import DrainOptions, DrainParts, DrainState, ShardDrain
from zero.application.drain.intake import Batch
from zero.application.drain.shard import _settlement
from zero.application.drain.writer import BlockWriter, Ready, Written
from zero.application.ports import RowRange
from zero.domain.errors import StoreUnavailable, ZeroError
from zero.domain.frame import Frame


class WithoutVerify(ShardDrain):
    """Stores the pending list again without asking what is there."""

    async def _verify(self, batch: Batch, rows: list[RowRange]) -> list[RowRange]:
        return rows


class AcknowledgesFirst(ShardDrain):
    """Settles before the insert."""

    async def _store(self, batch: Batch, ready: Ready) -> None:
        await self._parts.log.settle(await self._keeper.fresh(), _settlement(batch, Written()))
        await self._writer.write(ready)


class KeepsItsEpoch(ShardDrain):
    """Recovers from a failure under the epoch that it failed with."""

    async def _fail(self, error: ZeroError) -> None:
        flowed = self.state is not DrainState.WAITING
        await super()._fail(error)
        if flowed:
            self.state = DrainState.RECOVERING


class _Insists(BlockWriter):
    async def write(self, ready: Ready) -> Written:
        try:
            return await super().write(copy(ready))
        except StoreUnavailable:
            return await super().write(ready)


class RetriesBlindly(ShardDrain):
    """Sends a block again when the answer was lost."""

    def __init__(self, shard: int, owner: str, parts: DrainParts, options: DrainOptions | None = None) -> None:
        super().__init__(shard, owner, parts, options)
        self._writer = _Insists(self._keeper, parts, self._options)


class ForgetsPending(ShardDrain):
    """Reads on after a failure as if nothing had been in hand."""

    async def _fill_from_pending(self) -> bool:
        return False


class NeverSweeps(ShardDrain):
    """Trusts that nobody else reads."""

    async def _sweep(self) -> None:
        self._swept = self._now()
        if self._intake.spilled:
            self.state = DrainState.WAITING


class _Careless(BlockWriter):
    async def _still_absent(self, frames: Sequence[Frame], rows: Sequence[RowRange]) -> list[RowRange]:
        return list(rows)


class BisectsWithoutVerify(ShardDrain):
    """Believes that a refused block was not stored at all."""

    def __init__(self, shard: int, owner: str, parts: DrainParts, options: DrainOptions | None = None) -> None:
        super().__init__(shard, owner, parts, options)
        self._writer = _Careless(self._keeper, parts, self._options)


def sabotaged(make: type[ShardDrain]) -> MakeDrain:
    """Return how to start a drain of that kind."""
    return lambda owner, parts, options: make(0, owner, parts, options)


SABOTAGES: dict[str, Callable[[int], Scenario]] = {
    "no verify": lambda seed: Scenario(seed, make=sabotaged(WithoutVerify)),
    "acknowledge before insert": lambda seed: Scenario(seed, make=sabotaged(AcknowledgesFirst)),
    "recover under the old epoch": lambda seed: Scenario(seed, make=sabotaged(KeepsItsEpoch)),
    "blind retry": lambda seed: Scenario(seed, make=sabotaged(RetriesBlindly)),
    "pending list forgotten": lambda seed: Scenario(seed, make=sabotaged(ForgetsPending)),
    "no sweep": lambda seed: Scenario(seed, make=sabotaged(NeverSweeps)),
    "bisection without verify": lambda seed: Scenario(seed, make=sabotaged(BisectsWithoutVerify)),
    "store not fenced": lambda seed: Scenario(seed, Safety(store_fence=False)),
    "buffer not fenced": lambda seed: Scenario(seed, Safety(buffer_fence=False)),
    "quiesce of newer owners": lambda seed: Scenario(seed, Safety(spare_newer=False)),
    "no quiesce": lambda seed: Scenario(seed, Safety(quiesce=False)),
    "replay in two steps": lambda seed: Scenario(seed, Safety(atomic_replay=False)),
    "replay under another identity": lambda seed: Scenario(seed, Safety(replay_identity=False)),
}


def first_noticed(name: str, seeds: range) -> Verdict | None:
    """Return the first verdict with a problem."""
    return next((verdict for seed in seeds if (verdict := SABOTAGES[name](seed).run()).problems), None)
