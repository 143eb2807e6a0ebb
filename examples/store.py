"""A store: a file of SQLite, and the codec that makes the blocks it takes. It keeps every promise of the drain's port.

A real one is a package of ``src/zero/infrastructure``, with its kind beside those in ``src/zero/bootstrap/stores.py``.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from zero.application.ports import Block, Lease, RowRange
from zero.domain.errors import CorruptFrame, InvalidInput, LeaseLost, StoreRejected
from zero.domain.frame import Crc32c, Frame

TABLES = "CREATE TABLE logs (bid, idx, message TEXT NOT NULL); CREATE TABLE fences (shard INTEGER PRIMARY KEY, epoch)"
RAISE = "INSERT INTO fences VALUES (?, ?) ON CONFLICT (shard) DO UPDATE SET epoch = max(epoch, excluded.epoch) RETURNING epoch"


class SqliteCodec:
    def __init__(self, crc32c: Crc32c, read: Callable[[memoryview], Sequence]) -> None:
        self.crc32c, self._read = crc32c, read

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        try:
            entries = [self._read(frame.payload) for frame in frames]
        except InvalidInput as error:
            raise CorruptFrame(error.message) from error
        ranges = rows or [RowRange(at, 0, frame.count) for at, frame in enumerate(frames)]
        chosen = [(part.frame, index) for part in ranges for index in range(part.start, part.stop)]
        lines = [[str(frames[at].batch_id), index, entries[at][index].message] for at, index in chosen]
        return Block(json.dumps(lines).encode(), len(lines))


class SqliteStore:
    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path)
        self._file.executescript(TABLES)

    async def fence(self, lease: Lease) -> None:
        with self._file:
            if self._file.execute(RAISE, (lease.shard, lease.epoch)).fetchone() != (lease.epoch,):
                raise LeaseLost(f"shard {lease.shard} has a newer owner")

    async def quiesce(self, lease: Lease) -> None: ...  # an insert here never outlives its call

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        found, wanted = defaultdict(list), json.dumps([str(batch_id) for batch_id in batch_ids])
        for batch_id, index in self._file.execute(
            "SELECT bid, idx FROM logs WHERE bid IN (SELECT value FROM json_each(?))", (wanted,)
        ):
            found[int(batch_id)].append(index)
        return found

    async def insert(self, block: Block, lease: Lease) -> None:
        try:
            with self._file:
                self._file.executemany("INSERT INTO logs VALUES (?, ?, ?)", json.loads(block.data))
                if self._file.execute("SELECT epoch FROM fences WHERE shard = ?", (lease.shard,)).fetchone() != (lease.epoch,):
                    raise LeaseLost(f"epoch {lease.epoch} of shard {lease.shard} is fenced")
        except (ValueError, sqlite3.IntegrityError) as error:
            raise StoreRejected(str(error), store_code=0) from error
