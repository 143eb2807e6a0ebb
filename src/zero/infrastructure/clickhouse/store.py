"""The store as the drain sees it: blocks in, identities out, and no insert of a former owner left behind.

An insert goes through the door of its lease, a table ``logs_door_<shard>_<epoch>`` of engine Alias, which the fence of a higher
epoch drops (docs/decisions/0130). A marker in its text finds it in ``system.processes``. ``cluster.py`` knows what is different
when the store is several servers.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import lz4.frame  # type: ignore[import-untyped]
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from zero.application.ports import Block, Lease
from zero.application.tracing import traceparent
from zero.domain.errors import LeaseLost, StoreUnavailable
from zero.infrastructure.clickhouse.cluster import WHOLE, servers
from zero.infrastructure.clickhouse.connection import connect_writer, trace_headers
from zero.infrastructure.clickhouse.errors import error_code, translated
from zero.infrastructure.clickhouse.options import ClickHouseOptions

Result = TypeVar("Result")

_IDS_MAX = 2_000  # ids in one look-up: about 42 KB of text
# The text index is built by the first merge of a part, once for many blocks; until then its few rows are read instead.
_INSERT_SETTINGS = {
    **WHOLE,
    "async_insert": 0,
    "exclude_materialize_skip_indexes_on_insert": "message_words",
    "input_format_skip_unknown_fields": 0,  # by default what a lost or renamed column held is dropped, and nobody told
}
_POLL_SECONDS = 0.05
_WHO_ANSWERS = {"skip_unavailable_shards": 1}  # of a cluster, those that can be asked; see ``quiesce``


class ClickHouseStore:
    """Implements Store over ``clickhouse-connect`` in a bounded pool of threads; connects at the first use."""

    def __init__(self, options: ClickHouseOptions) -> None:
        self._options = options
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._threads = ThreadPoolExecutor(options.connections_max, thread_name_prefix="clickhouse-store")
        self._servers = servers(options)
        self._closing = asyncio.Event()

    async def fence(self, lease: Lease) -> None:
        """Make the door of the lease's epoch, drop those of lower ones."""
        await self._run(self._fence, lease)

    async def quiesce(self, lease: Lease) -> None:
        """Kill the shard's inserts of lower epochs; return when none is left. Raises StoreUnavailable after the bound.

        What came to servers before the fence, and cannot be asked for, is given the time that an insert may take.
        """
        if silent := await self._run(self._quiesce, lease):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._options.insert_timeout_seconds)
                raise StoreUnavailable(f"stopped while {silent} servers of the cluster could not be asked for their inserts")

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Look the batches up, a bounded number in one query."""
        found: dict[int, list[int]] = defaultdict(list)
        ids = list(batch_ids)
        if ids:
            await self._run(self._servers.catch_up)
        for start in range(0, len(ids), _IDS_MAX):
            for batch_id, index in await self._run(self._present, ids[start : start + _IDS_MAX]):
                found[batch_id].append(index)
        return dict(found)

    async def insert(self, block: Block, lease: Lease) -> None:
        """Send the block once; what a failure left behind is for fence, quiesce and verify to find out."""
        await self._run(self._insert, block, lease, trace_headers(traceparent()))

    async def close(self) -> None:
        """Close the connections once running calls have ended."""
        self._closing.set()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
            self._client = None

    async def _run(self, step: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        async with self._connecting:
            if self._client is None:
                self._client = await loop.run_in_executor(self._threads, self._guarded, self._open, ())
        return await loop.run_in_executor(self._threads, self._guarded, step, (self._client, *arguments))

    @staticmethod
    def _guarded(step: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        with translated():
            return step(*arguments)

    def _open(self) -> Client:
        return connect_writer(self._options)

    def _insert(self, client: Client, block: Block, lease: Lease, headers: dict[str, str] | None) -> None:
        data, compression = block.data, None
        if not self._options.is_local:
            data, compression = lz4.frame.compress(data), "lz4"
        # A view: bytes the client searches for SQL (0.6 s and 240 MB for 30 MB), and sends again when a connection breaks.
        body: Any = memoryview(data)
        door = _door(lease.shard, lease.epoch)
        target = f"{_marker(lease.shard)}{lease.epoch} */ {self._servers.target(door)}"
        settings = _INSERT_SETTINGS | self._servers.settings(lease, block.data)
        try:
            given: dict[str, Any] = {"settings": settings, "compression": compression, "transport_settings": headers}
            client.raw_insert(target, insert_block=body, fmt="Native", **given)
        except ClickHouseError as error:
            if self._servers.is_fenced(error_code(error), str(error), door):
                raise LeaseLost(f"epoch {lease.epoch} of shard {lease.shard} is fenced in the store") from error
            raise

    def _fence(self, client: Client, lease: Lease) -> None:
        self._servers.look(client)
        newest = max(self._doors(client, lease.shard), default=0)
        if newest > lease.epoch:
            raise LeaseLost(f"epoch {lease.epoch} of shard {lease.shard} is fenced in the store by {newest}")
        door = _door(lease.shard, lease.epoch)
        client.command(
            f"CREATE TABLE IF NOT EXISTS {door}{self._servers.on_cluster} ENGINE = Alias('{self._servers.rows}')",
            settings={"allow_experimental_alias_table_engine": 1},
        )
        for epoch in self._doors(client, lease.shard):
            if epoch < lease.epoch:
                client.command(f"DROP TABLE IF EXISTS {_door(lease.shard, epoch)}{self._servers.on_cluster}")

    def _doors(self, client: Client, shard: int) -> set[int]:
        """Return the epochs of the shard's doors."""
        prefix = _door(shard, "")
        tables = f"SELECT name FROM {self._servers.system('tables')}"
        sql = f"{tables} WHERE database = {{database:String}} AND startsWith(name, {{prefix:String}})"
        asked = {"database": self._options.database, "prefix": prefix}
        names = client.raw_query(sql, asked, settings=_WHO_ANSWERS, fmt="TSV").decode().split()
        return {int(name.removeprefix(prefix)) for name in names if name.removeprefix(prefix).isdigit()}

    def _quiesce(self, client: Client, lease: Lease) -> int:
        """Return how many servers could not be asked."""
        deadline = time.monotonic() + self._options.quiesce_timeout_seconds
        running = self._servers.running(_marker(lease.shard), _door(lease.shard, ""), lease.epoch)
        count = f"SELECT count() FROM {self._servers.system('processes')} WHERE {running}"
        while int(client.raw_query(count, settings=_WHO_ANSWERS, fmt="TSV")):
            client.command(f"KILL QUERY{self._servers.on_cluster} WHERE {running} SYNC")
            if time.monotonic() > deadline:
                seconds = self._options.quiesce_timeout_seconds
                raise StoreUnavailable(f"inserts of shard {lease.shard} still run after {seconds} s")
            time.sleep(_POLL_SECONDS)
        return self._servers.silent(client)

    def _present(self, client: Client, batch_ids: list[int]) -> list[tuple[int, int]]:
        rows = self._servers.present(client, batch_ids).split(b"\n")[:-1]
        return [(int(batch_id), int(index)) for batch_id, index in (row.split(b"\t") for row in rows)]


def _door(shard: int, epoch: int | str) -> str:
    return f"logs_door_{shard}_{epoch}"


def _marker(shard: int) -> str:
    return f"/* zero shard={shard} epoch="
