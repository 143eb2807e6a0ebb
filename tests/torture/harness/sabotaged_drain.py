"""``zero drain`` with one protection taken away: ``python -m tests.torture.harness.sabotaged_drain NAME drain …``.

What the simulator must notice (tests/torture/simulator/sabotage.py) the whole platform under torture must show as well.
"""

import sys

import zero.application.drain.shard as real
from tests.torture.simulator.sabotage import AcknowledgesFirst, KeepsItsEpoch, RetriesBlindly, WithoutVerify
from zero.application.drain import DrainState, ShardDrain
from zero.cli import main


class InsertsThenAcknowledges(WithoutVerify, KeepsItsEpoch):
    """Reads, inserts, acknowledges; after a failure the same again, under the old epoch and without a look at the store."""

    async def _recover(self) -> None:
        self._intake.clear()
        await self._parts.store.fence(await self._keeper.fresh())  # makes the table that it inserts into
        more = True
        while more or self._intake.waiting:
            more = more and await self._fill_from_pending()
            if self._intake.waiting:
                await self._store_absent()
        self._swept = self._now()
        self.state = DrainState.FLOWING


DRAINS: dict[str, type[ShardDrain]] = {
    "no-verify": WithoutVerify,
    "insert-then-ack": InsertsThenAcknowledges,
    "blind-retry": RetriesBlindly,
    "ack-then-insert": AcknowledgesFirst,
}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    real.ShardDrain = DRAINS[name]  # type: ignore[misc]
    main()
