"""A store of row identities in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from zero.application.ports import Block, Lease, Store
from zero.domain.errors import LeaseLost, StoreRejected
from zero.infrastructure.memory.codec import ROW

Row = tuple[int, int, bytes]
DATA_ERROR = 117  # ClickHouse: INCORRECT_DATA


class MemoryStore(Store):
    """Keeps the rows of blocks made by ``MemoryCodec``; ``poison`` names the (batch id, index) pairs that it refuses."""

    def __init__(self, poison: set[tuple[int, int]] | None = None) -> None:
        self.poison = set() if poison is None else poison
        self.rows: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        self._fences: dict[int, int] = {}

    async def fence(self, lease: Lease) -> None:
        """Refuse lower epochs from now on."""
        self._fences[lease.shard] = max(lease.epoch, self._fences.get(lease.shard, 0))

    async def quiesce(self, lease: Lease) -> None:
        """Return at once: an insert here never outlives its call."""

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Return the stored indexes of each batch that has any."""
        return {bid: [index for index, _ in self.rows[bid]] for bid in batch_ids if bid in self.rows}

    async def insert(self, block: Block, lease: Lease) -> None:
        """Store all rows of the block, or none."""
        self.store(self.admit(block, lease))

    def admit(self, block: Block, lease: Lease) -> list[Row]:
        """Return the rows of the block. Raises LeaseLost when fenced, StoreRejected when a row is poison."""
        if lease.epoch < self._fences.get(lease.shard, 0):
            raise LeaseLost(f"epoch {lease.epoch} of shard {lease.shard} is fenced")
        rows: list[Row] = list(ROW.iter_unpack(block.data))
        if any((bid, index) in self.poison for bid, index, _ in rows):
            raise StoreRejected("a value cannot be stored", store_code=DATA_ERROR)
        return rows

    def store(self, rows: Sequence[Row]) -> None:
        """Put the rows in, whatever is there already."""
        for bid, index, digest in rows:
            self.rows[bid].append((index, digest))
