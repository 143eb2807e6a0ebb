"""The store as the drain sees it: blocks in by ``COPY``, identities out, and no insert of a former owner left behind.

An insert is one transaction. First it takes a shared advisory lock that names its shard and epoch, then it reads the fence of
the shard, then it copies. So once the fence of a higher epoch is committed, an insert of a lower one either sees it, or holds
its lock already: who then finds no such lock, having ended the sessions of those that there were, knows that none can commit.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from zero.application.ports import Block, Lease
from zero.domain.errors import LeaseLost, StoreRejected, StoreUnavailable
from zero.infrastructure.postgres.codec import COLUMNS, CopyBlock
from zero.infrastructure.postgres.connection import connect
from zero.infrastructure.postgres.errors import FOREIGN, translate, translated
from zero.infrastructure.postgres.options import PostgresOptions
from zero.infrastructure.postgres.partitions import make_days
from zero.infrastructure.postgres.pool import Connections
from zero.infrastructure.postgres.values import signed, unsigned

_IDS_MAX = 2_000  # ids in one look-up
_EPOCH_BITS, _SHARD_BITS = 42, 10
_LOCKS = 0x7A << (_EPOCH_BITS + _SHARD_BITS)  # the advisory locks of inserts begin here
_CONNECTIONS_MAX = 8
_POLL_SECONDS = 0.05
_COPY = f"COPY logs ({COLUMNS}) FROM STDIN".encode()
_FENCE = (
    "INSERT INTO shard_fences AS fence VALUES (%s, %s) ON CONFLICT (shard) DO UPDATE SET epoch = excluded.epoch"
    " WHERE fence.epoch <= excluded.epoch RETURNING epoch"
)
_END_RUNNING = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32 | objid::bigint) >= %s AND (classid::bigint << 32 | objid::bigint) < %s"
)


class PostgresStore:
    """Implements Store over psycopg; connects at the first use. The blocks have to be those of PostgresCodec."""

    def __init__(self, options: PostgresOptions) -> None:
        self._options = options
        bound = options.insert_timeout_seconds + options.connect_timeout_seconds
        self._connections = Connections(lambda: connect(options), _CONNECTIONS_MAX, bound)
        self._days: set[int] = set()

    async def fence(self, lease: Lease) -> None:
        """Raise the epoch of the shard. Raises LeaseLost when it is higher already."""
        with translated():
            async with self._connections.one() as connection:
                row = await (await connection.execute(_FENCE, (lease.shard, lease.epoch))).fetchone()
        if row is None:
            raise LeaseLost(f"a newer owner of shard {lease.shard} has fenced epoch {lease.epoch}")

    async def quiesce(self, lease: Lease) -> None:
        """End the sessions of the shard's inserts of lower epochs; return when none is left. Raises StoreUnavailable."""
        deadline = time.monotonic() + self._options.quiesce_timeout_seconds
        while await self._end_running(lease):
            if time.monotonic() > deadline:
                seconds = self._options.quiesce_timeout_seconds
                raise StoreUnavailable(f"inserts of shard {lease.shard} still run after {seconds} s")
            await asyncio.sleep(_POLL_SECONDS)

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Look the batches up, a bounded number in one query."""
        found: dict[int, list[int]] = defaultdict(list)
        ids = [signed(batch_id) for batch_id in batch_ids]
        sql = "SELECT bid, idx FROM logs WHERE bid = ANY(%s::bigint[])"
        with translated():
            for start in range(0, len(ids), _IDS_MAX):
                async with self._connections.one() as connection:
                    rows = await (await connection.execute(sql, (ids[start : start + _IDS_MAX],))).fetchall()
                for batch_id, index in rows:
                    found[unsigned(batch_id)].append(index)
        return dict(found)

    async def insert(self, block: Block, lease: Lease) -> None:
        """Copy the block in one transaction; what a failure left behind is for fence, quiesce and verify to find out."""
        if not isinstance(block, CopyBlock):
            raise StoreRejected("the block is not one of COPY's text: the codec is another store's", store_code=0)
        try:
            async with self._connections.one() as connection:
                await make_days(connection, sorted(block.days - self._days))
                self._days |= block.days
                await self._copy(connection, block, lease)
        except FOREIGN as error:
            self._days.clear()  # one of them may have been dropped meanwhile
            raise translate(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def _copy(self, connection: AsyncConnection, block: CopyBlock, lease: Lease) -> None:
        # Not a transaction of the driver's: it would wait for a silent server to undo what a cut connection undoes by itself.
        await connection.execute("BEGIN")
        await connection.execute(f"SET LOCAL statement_timeout = {self._options.insert_timeout_seconds * 1000}".encode())
        await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_lock(lease.shard, lease.epoch),))
        fence = await connection.execute("SELECT epoch FROM shard_fences WHERE shard = %s", (lease.shard,))
        if await fence.fetchone() != (lease.epoch,):
            raise LeaseLost(f"epoch {lease.epoch} of shard {lease.shard} is not the one that the store was fenced with last")
        async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(block.data)
        await connection.execute("COMMIT")

    async def _end_running(self, lease: Lease) -> bool:
        """Ask the shard's inserts of lower epochs to end; returns whether there are any."""
        with translated():
            async with self._connections.one() as connection:
                bounds = _lock(lease.shard, 0), _lock(lease.shard, lease.epoch)
                return bool(await (await connection.execute(_END_RUNNING, bounds)).fetchall())


def _lock(shard: int, epoch: int) -> int:
    """Return the key of the advisory lock of the shard's inserts under the epoch; those of one shard lie together."""
    if not (0 <= shard < 1 << _SHARD_BITS and 0 <= epoch < 1 << _EPOCH_BITS):
        raise StoreRejected(f"shard {shard}, epoch {epoch} is beyond what a lock can name", store_code=0)
    return _LOCKS | shard << _EPOCH_BITS | epoch
