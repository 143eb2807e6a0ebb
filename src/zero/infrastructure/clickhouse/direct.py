"""The store in the place of the buffer: each append is an insert. For the stages of ``zero bench`` that have no buffer."""

import asyncio
import secrets
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from clickhouse_connect.driver.client import Client

from zero.application.ports import (
    Append,
    Appended,
    BufferLevel,
    Codec,
    Durability,
    Position,
    Telemetry,
)
from zero.domain.batch_id import EPOCHS
from zero.domain.errors import InvalidInput
from zero.domain.frame import unpack_frame
from zero.domain.ledger import TenantLedger
from zero.infrastructure.clickhouse.connection import connect_writer
from zero.infrastructure.clickhouse.errors import translated
from zero.infrastructure.clickhouse.events import InsertForgotten
from zero.infrastructure.clickhouse.options import ClickHouseOptions

_NOWHERE = Position(0, "")
_SYNCHRONOUS = {"async_insert": 0, "insert_deduplicate": 0}
_ASYNCHRONOUS = {"async_insert": 1, "wait_for_async_insert": 0}


class ClickHouseBuffer:
    """Implements ``ports.Buffer`` without being one. ``waits``: an append returns when its rows are stored and fsynced; else at
    once, and what becomes of the insert is told to nobody. What then waits for one of the pooled connections has no bound.
    """

    def __init__(self, options: ClickHouseOptions, codec: Codec, telemetry: Telemetry, *, waits: bool) -> None:
        self._options = options
        self._codec = codec
        self._telemetry = telemetry
        self._waits = waits
        self._client: Client | None = None
        self._threads = ThreadPoolExecutor(options.connections_max, thread_name_prefix="clickhouse-direct")

    async def append(self, appends: Sequence[Append]) -> Sequence[Appended]:
        """Insert the entries of the frames in one block. Raises StoreUnavailable and its like, or InvalidInput."""
        if any(append.idempotency for append in appends):
            raise InvalidInput("this ZERO_PIPELINE remembers no Idempotency-Key", field="Idempotency-Key")
        if self._client is None:
            self._client = await asyncio.to_thread(self._open)
        insert = self._threads.submit(self._insert, self._client, appends)
        if self._waits:
            await asyncio.wrap_future(insert)
        else:
            entries = sum(append.count for append in appends)
            insert.add_done_callback(lambda done: self._heed(done, entries))
        return [Appended(_NOWHERE) for _ in appends]

    def _open(self) -> Client:
        with translated():
            return connect_writer(self._options)

    def _insert(self, client: Client, appends: Sequence[Append]) -> None:
        frames = [unpack_frame(append.frame, self._codec.crc32c) for append in appends]
        body: Any = memoryview(self._codec.encode_block(frames).data)
        settings = dict(_SYNCHRONOUS if self._waits else _ASYNCHRONOUS)
        with translated():
            client.raw_insert("logs", insert_block=body, fmt="Native", settings=settings)

    def _heed(self, insert: "Future[None]", entries: int) -> None:
        """Report acknowledged entries that were lost: nobody waits for the result of the insert."""
        if insert.cancelled():
            self._telemetry.emit(InsertForgotten(entries, "the process stopped before its turn came"))
        elif error := insert.exception():
            self._telemetry.emit(InsertForgotten(entries, str(error)))

    async def next_process_epoch(self) -> int:
        """Return a random number: nothing here counts the starts."""
        return secrets.randbelow(EPOCHS)

    def silent(self) -> bool:
        """Leave it to the client's own timeout."""
        return False

    async def drained(self, positions: Sequence[Position]) -> Sequence[Container[int] | None]:
        """Say of everything appended that it is stored, unless nobody knows."""
        return [() if self._waits else None] * len(positions)

    async def durability(self) -> Durability:
        """Say whether an acknowledgement means anything."""
        if self._waits:
            return Durability("durable", "inserted and fsynced before the reply; no buffer, so a retry can store twice")
        return Durability("relaxed", "the reply does not wait for the insert: a crash or a refused insert loses entries")

    async def level(self) -> BufferLevel:
        """There is nothing that could be full."""
        return BufferLevel(0, 0, 0)

    async def ledger(self) -> Mapping[str, TenantLedger]:
        """There is no ledger."""
        return {}

    async def close(self) -> None:
        """Close the connections; inserts that have not begun are dropped."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._client is not None:
            await asyncio.to_thread(self._client.close)
