"""The writer: one batch into the store, in one insert; when the store refuses rows, down to the rows it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from zero.application.drain.intake import Held
from zero.application.drain.lease import LeaseKeeper
from zero.application.drain.options import DrainOptions
from zero.application.drain.parts import DrainParts
from zero.application.drain.rows import absent_rows, count_rows, halves, only_used
from zero.application.ports import Block, DeadLetter, RowRange
from zero.domain.errors import CorruptFrame, StoreHalted, StoreRejected
from zero.domain.frame import Frame, pack_frame
from zero.domain.log_batch import join_entries, split_entries


@dataclass(slots=True)
class Written:
    """What became of the rows of one batch."""

    rows: int = 0
    bytes: int = 0
    encode_seconds: float = 0.0
    insert_seconds: float = 0.0
    corrupt: list[DeadLetter] = field(default_factory=list)
    refused: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True)
class Ready:
    """Rows of some frames, encoded as far as they can be read; no block: nothing to insert."""

    held: Sequence[Held]
    rows: Sequence[RowRange]
    block: Block | None
    written: Written


class BlockWriter:
    """Stores rows. Raises whatever leaves the outcome unknown: then the caller verifies before anything is sent again."""

    def __init__(self, keeper: LeaseKeeper, parts: DrainParts, options: DrainOptions) -> None:
        self._keeper = keeper
        self._parts = parts
        self._options = options

    def prepare(self, held: Sequence[Held], rows: Sequence[RowRange]) -> Ready:
        """Encode the rows of the frames; frames that cannot be read are set aside."""
        ready = Ready(held, rows, None, Written())
        try:
            ready.block = self._encode_all(ready)
        except CorruptFrame:
            ready.rows = self._set_corrupt_aside(held, rows, ready.written)
            ready.block = self._encode_all(ready)
        return ready

    async def write(self, ready: Ready) -> Written:
        """Store what was prepared; rows that cannot be stored come back as dead letters."""
        written, block = ready.written, ready.block
        ready.block = None
        if block is not None:
            try:
                await self._insert(block, written)
            except StoreRejected as error:
                del block
                await self._bisect(ready.held, ready.rows, written, error)
        return written

    def _encode_all(self, ready: Ready) -> Block | None:
        return self._encode([one.frame for one in ready.held], ready.rows, ready.written) if ready.rows else None

    def _encode(self, frames: Sequence[Frame], rows: Sequence[RowRange], written: Written) -> Block:
        """Return the block of the rows. Raises CorruptFrame also when a frame does not hold as many as its header says."""
        expected = count_rows(rows)
        used, chosen = only_used(frames, rows)
        whole = expected == sum(frame.count for frame in used)
        start = self._parts.clock.monotonic()
        block = self._parts.codec.encode_block(used, None if whole else chosen)
        written.encode_seconds += self._parts.clock.monotonic() - start
        if block.rows != expected:
            raise CorruptFrame(f"{block.rows} entries where {expected} were announced")
        return block

    async def _insert(self, block: Block, written: Written) -> None:
        lease = await self._keeper.fresh()
        start = self._parts.clock.monotonic()
        await self._parts.store.insert(block, lease)
        written.insert_seconds += self._parts.clock.monotonic() - start
        written.rows += block.rows
        written.bytes += len(block.data)

    def _set_corrupt_aside(self, held: Sequence[Held], rows: Sequence[RowRange], written: Written) -> list[RowRange]:
        """Return the rows of the frames that can be encoded; each other frame becomes one dead letter."""
        readable: list[RowRange] = []
        frames = [one.frame for one in held]
        for at, group in groupby(rows, key=lambda part: part.frame):
            one, mine = held[at], list(group)
            try:
                self._encode(frames, mine, written)
            except CorruptFrame as error:
                count = count_rows(mine)
                written.corrupt.append(DeadLetter(one.position, error.message, one.frame.tenant, count, one.frame.data))
            else:
                readable += mine
        return readable

    async def _bisect(self, held: Sequence[Held], rows: Sequence[RowRange], written: Written, error: StoreRejected) -> None:
        """Store what the store takes, half by half. A refusal may follow a part that was stored, so each one is verified."""
        frames = [one.frame for one in held]
        stack: list[tuple[Sequence[RowRange], StoreRejected]] = [(rows, error)]
        while stack:
            refused, error = stack.pop()
            refused = await self._still_absent(frames, refused)
            if count_rows(refused) == 1:
                self._refuse(held[refused[0].frame], refused[0].start, error, written)
                continue
            for half in reversed(halves(refused)):
                if half and (again := await self._try(frames, half, written)):
                    stack.append((half, again))

    async def _try(self, frames: Sequence[Frame], rows: Sequence[RowRange], written: Written) -> StoreRejected | None:
        try:
            await self._insert(self._encode(frames, rows, written), written)
        except StoreRejected as error:
            return error
        return None

    async def _still_absent(self, frames: Sequence[Frame], rows: Sequence[RowRange]) -> list[RowRange]:
        ids = sorted({frames[part.frame].batch_id for part in rows})
        return absent_rows(frames, rows, await self._parts.store.present(ids))

    def _refuse(self, one: Held, at: int, error: StoreRejected, written: Written) -> None:
        if len(written.refused) == self._options.poison_rows_max and not written.rows:
            reason = f"the first {len(written.refused)} rows of a block all refused: {error.message}"
            raise StoreHalted(reason, store_code=error.store_code)
        frame = one.frame
        payload = join_entries(islice(split_entries(frame.payload), at, at + 1))
        data = pack_frame(frame.batch_id, frame.received_ms, 1, frame.tenant, [payload], self._parts.codec.crc32c)
        reason = f"store error {error.store_code}: {error.message}"
        written.refused.append(DeadLetter(one.position, reason, frame.tenant, 1, data, frame.first_index + at))
