"""One shard's drain: read, store, settle; and after any failure verify before anything is stored again.

    WAITING ──new epoch──► RECOVERING ──pending list empty──► FLOWING ──stop──► STOPPED
       ▲                       │                                 │
       └──── any failure ──────┴─────────────────────────────────┘

A failure leaves requests behind whose outcome is unknown, and which may not even have reached their server. So recovery begins
with a new epoch of the lease, also when the lease was never lost: whatever is still on its way is fenced by buffer and store.

While blocks are in flight (inserted, then settled) the next is gathered and encoded; it takes off when fewer than
``flights_max`` are. Blocks share no frame, each is settled by itself, and after any failure all of them have ended before the
recovery begins; so their order does not matter.

It waits for nothing but its ports, so a deterministic scheduler can drive it.
"""

from collections import Counter, deque
from collections.abc import Awaitable
from contextlib import suppress
from enum import Enum

from zero.application.drain.events import BlockStored, DeadLettered, DrainFailed, LeaseGone, VerifyPerformed
from zero.application.drain.intake import Batch, Intake
from zero.application.drain.lease import LeaseKeeper
from zero.application.drain.options import DrainOptions
from zero.application.drain.parts import DrainParts
from zero.application.drain.rows import absent_rows, all_rows, count_rows
from zero.application.drain.writer import BlockWriter, Ready, Written
from zero.application.ports import Delivery, Position, RowRange, Settlement
from zero.application.retry import Backoff
from zero.domain.errors import ConfigurationError, LeaseLost, StoreHalted, StoreUnavailable, ZeroError
from zero.domain.ledger import day_of


class DrainState(Enum):
    """Where a shard's drain is."""

    WAITING = "waiting"  # for a new epoch of the lease; another owner may have it
    RECOVERING = "recovering"  # pending entries are verified and stored
    FLOWING = "flowing"  # new entries are stored
    STOPPED = "stopped"


_OF_THE_STORE = (StoreUnavailable, StoreHalted)
HELD = (DrainState.RECOVERING, DrainState.FLOWING)
"""The states in which the lease is ours, as far as we know."""


class ShardDrain:
    """Drains one shard while it holds its lease. ``run`` returns only after ``stop``."""

    def __init__(self, shard: int, owner: str, parts: DrainParts, options: DrainOptions | None = None) -> None:
        self.shard = shard
        self.state = DrainState.WAITING
        self.last_error = ""
        self._parts = parts
        self._options = options or DrainOptions()
        self._keeper = LeaseKeeper(shard, owner, parts, self._options)
        self._intake = Intake(parts.codec.crc32c, self._options)
        self._writer = BlockWriter(self._keeper, parts, self._options)
        self._backoff = Backoff(parts.random, self._options.retry)
        self._flights: deque[Awaitable[None]] = deque()
        self._stop_at: float | None = None
        self._swept = 0.0

    @property
    def ready(self) -> bool:
        """Whether the shard is drained, here or by another owner, as far as this process can tell."""
        return not self.last_error and self.state in (DrainState.FLOWING, DrainState.WAITING)

    def stop(self, drain_seconds: float = 0.0) -> None:
        """Ask to stop after the blocks in hand, or once the shard is empty if that takes at most ``drain_seconds``."""
        self._stop_at = self._now() + drain_seconds

    async def heartbeat(self) -> None:
        """Renew the lease; for whoever runs the drain to call every few seconds, beside a long insert."""
        await self._keeper.heartbeat()

    async def run(self) -> None:
        """Drain until stopped. Failures are met with a wait and a verify, for as long as it takes."""
        steps = {DrainState.WAITING: self._wait, DrainState.RECOVERING: self._recover, DrainState.FLOWING: self._flow}
        while self.state is not DrainState.STOPPED:
            if self._late():
                break
            try:
                await steps[self.state]()
            except LeaseLost as error:
                await self._lose(error)
            except ConfigurationError:
                await self._abandon()
                raise
            except ZeroError as error:
                await self._fail(error)
        await self._abandon()
        self._stop()
        try:
            await self._keeper.release()
        except ZeroError as error:
            self.last_error = error.message  # the lease expires by itself

    async def _wait(self) -> None:
        if await self._keeper.acquire():
            self.state = DrainState.RECOVERING
        elif self._stop_at is not None:
            self._stop()
        else:
            self.last_error = ""
            await self._parts.clock.sleep(self._options.contend_seconds * (0.5 + self._parts.random.random()))

    async def _recover(self) -> None:
        """Store and settle the whole pending list, chunk by chunk, once no insert of before can still add rows.

        A stop whose time is up leaves the rest to the next recovery.
        """
        self._intake.clear()
        lease = await self._keeper.fresh()
        await self._parts.store.fence(lease)
        await self._parts.store.quiesce(lease)
        more = True
        while more or self._intake.waiting:
            if self._late():
                return
            more = more and await self._fill_from_pending()
            if self._intake.waiting:
                await self._store_absent()
        self._intake.clear()
        self._swept = self._now()
        self.state = DrainState.FLOWING

    async def _fill_from_pending(self) -> bool:
        """Gather a block from the pending list; False when its end is reached."""
        while not self._intake.ready:
            lease = await self._keeper.fresh()
            deliveries = await self._parts.log.pending(lease, self._intake.cursor, self._intake.limit())
            if not deliveries:
                return False
            self._intake.admit(deliveries)
        return True

    async def _flow(self) -> None:
        """Let one block of new entries take off."""
        sweep = self._intake.spilled or self._now() - self._swept >= self._options.sweep_seconds
        if not sweep:
            await self._gather()
        if self._intake.waiting:
            batch = self._intake.take()
            rows = all_rows([one.frame for one in batch.held])
            if any(one.replayed for one in batch.held):
                await self._land_all()
                rows = await self._verify(batch, rows)  # what was a dead letter may be stored in part, or by an older life
            ready = self._writer.prepare(batch.held, rows)
            if len(self._flights) >= self._options.flights_max:
                await self._land()
            self._flights.append(self._parts.start(self._store(batch, ready)))
        elif self._flights:
            await self._land()
        elif sweep:
            await self._sweep()
        elif self._stop_at is not None:
            self._stop()
        self._well()

    async def _sweep(self) -> None:
        """With nothing in hand nothing may be pending: what is, was read by someone who never settles it. Verify it."""
        lease = await self._keeper.fresh()
        if self._intake.spilled or await self._parts.log.pending(lease, "0", 1):
            self.state = DrainState.WAITING
        self._swept = self._now()

    async def _gather(self) -> None:
        """Read until a block is full, or the linger has passed since the first frame and nothing more lies ready."""
        wait, lingers_until = self._options.idle_seconds, None
        while not self._intake.ready:
            if self._stop_at is not None or self._intake.waiting:
                wait = 0.0
            limit = self._intake.limit()
            deliveries = await self._read(limit, wait)
            self._intake.admit(deliveries)
            if len(deliveries) == limit:
                continue
            if lingers_until is None:
                lingers_until = self._now() + self._options.linger_seconds
            left = lingers_until - self._now()
            if not self._intake.waiting or self._stop_at is not None or left <= 0:
                return
            await self._parts.clock.sleep(left)

    async def _read(self, limit: int, wait: float) -> list[Delivery]:
        return list(await self._parts.log.read(await self._keeper.fresh(), limit, wait))

    async def _land(self) -> None:
        """Wait until the oldest block in flight is settled. Raises what went wrong with it."""
        await self._flights.popleft()

    async def _land_all(self) -> None:
        while self._flights:
            await self._land()

    async def _abandon(self) -> None:
        """Wait for the end of every block in flight, whatever that is: recovery finds out."""
        while self._flights:
            try:
                await self._land()
            except ZeroError as error:
                self._parts.telemetry.emit(DrainFailed(error.code, self.shard, self._backoff.attempts, 0.0, error.message))

    async def _store_absent(self) -> None:
        """Store and settle what waits, without the rows that the store has."""
        batch = self._intake.take()
        rows = all_rows([one.frame for one in batch.held])
        if rows:
            rows = await self._verify(batch, rows)
        await self._store(batch, self._writer.prepare(batch.held, rows))

    async def _store(self, batch: Batch, ready: Ready) -> None:
        """Insert, and settle only after a clean success."""
        written = await self._writer.write(ready)
        start = self._now()
        await self._settle(batch, written)
        self._well()
        self._tell(batch, written, self._now() - start)

    async def _settle(self, batch: Batch, written: Written) -> None:
        await self._parts.log.settle(await self._keeper.fresh(), _settlement(batch, written))

    async def _verify(self, batch: Batch, rows: list[RowRange]) -> list[RowRange]:
        """Return the rows that the store does not have."""
        frames = [one.frame for one in batch.held]
        present = await self._parts.store.present(sorted({frame.batch_id for frame in frames}))
        absent = absent_rows(frames, rows, present)
        missing = count_rows(absent)
        self._parts.telemetry.emit(VerifyPerformed(self.shard, count_rows(rows) - missing, missing))
        return absent

    async def _lose(self, error: LeaseLost) -> None:
        """Drop everything: the next owner finds it in the pending list."""
        await self._abandon()
        lease = self._keeper.drop()
        self._intake.clear()
        self.state = DrainState.WAITING
        self.last_error = f"{error.code}: {error.message}"
        self._parts.telemetry.emit(LeaseGone(self.shard, lease.epoch if lease else 0, error.message))
        await self._sleep(self._backoff.next())

    async def _fail(self, error: ZeroError) -> None:
        """Wait, then recover under a new epoch: whether the failed step took effect is not known, nor whether it still will."""
        await self._abandon()
        self._intake.clear()
        self.state = DrainState.WAITING
        self.last_error = f"{error.code}: {error.message}"
        wait = self._backoff.next()
        self._parts.telemetry.emit(DrainFailed(error.code, self.shard, self._backoff.attempts, wait, error.message))
        if isinstance(error, _OF_THE_STORE) and self._backoff.attempts >= self._options.held_failures_max:
            with suppress(ZeroError):
                await self._keeper.release()
        await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        left = seconds if self._stop_at is None else min(seconds, self._stop_at - self._now())
        if left > 0:
            await self._parts.clock.sleep(left)

    def _late(self) -> bool:
        """Whether the time that a stop may take is up."""
        return self._stop_at is not None and self._now() >= self._stop_at

    def _stop(self) -> None:
        self.state = DrainState.STOPPED

    def _well(self) -> None:
        """Note progress: the next failure counts as the first, and waits shortest."""
        self._backoff.reset()
        self.last_error = ""

    def _tell(self, batch: Batch, written: Written, settle_seconds: float) -> None:
        emit = self._parts.telemetry.emit
        for kind, letters in (("corrupt", [*batch.corrupt, *written.corrupt]), ("refused", written.refused)):
            for letter in letters:
                where = f"{letter.position.shard}:{letter.position.entry}"
                emit(DeadLettered(kind, letter.count, letter.reason, where))
        if written.rows:
            times = (written.encode_seconds, written.insert_seconds, settle_seconds)
            emit(BlockStored(written.rows, len(batch.held), written.bytes, *times))

    def _now(self) -> float:
        return self._parts.clock.monotonic()


def _settlement(batch: Batch, written: Written) -> Settlement:
    """Return what to tell the buffer: every entry of the batch is stored, unless a dead letter speaks for it."""
    by_frame: Counter[Position] = Counter({one.position: one.count for one in batch.held})
    for letter in (*written.corrupt, *written.refused):
        by_frame[letter.position] -= letter.count
    stored: Counter[str] = Counter()
    by_day: Counter[tuple[str, int]] = Counter()
    for one in batch.held:
        stored[one.frame.tenant] += by_frame[one.position]
        by_day[one.frame.tenant, day_of(one.frame.received_ms)] += by_frame[one.position]
    letters = [*batch.corrupt, *written.corrupt, *written.refused]
    return Settlement(batch.positions, dict(+stored), letters, dict(+by_day))
