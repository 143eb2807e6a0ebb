"""The durable buffer as the drain sees it: leases, fenced reads and settlements."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError, WatchError

from zero.application.ports import Delivery, Lease, Position, Settlement
from zero.domain.errors import BufferUnavailable, LeaseLost, Overloaded
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.domain.ledger import day_of
from zero.domain.retention import Cut
from zero.infrastructure.redis.dead import dead_fields, dead_indexes
from zero.infrastructure.redis.failures import FOREIGN, translate
from zero.infrastructure.redis.keys import (
    CONSUMER,
    FIELD_COUNT,
    FIELD_FRAME,
    FIELD_REPLAYED,
    FIELD_TENANT,
    GROUP,
    ShardKeys,
    entry_order,
    shard_keys,
)
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.replication import replicated
from zero.infrastructure.redis.requests import day_counter, ledger_field
from zero.infrastructure.redis.reserve import Reserve
from zero.infrastructure.redis.retention import forget_days
from zero.infrastructure.redis.shards import known_shards

_START = b"0-0"
_DELETE_MAX = 1000
_ATTEMPTS_MAX = 16
_DEAD_OF_SECONDS = 120
"""For how long a sender that waits for ``stored`` can hear that it was not; it waits for 30 s."""

T = TypeVar("T")


class RedisShardLog:
    """Implements ``ports.ShardLog``.

    Every change is one transaction on a watched lease, reads included: a former owner that wakes up can neither settle entries
    nor take new ones away from the present owner. A server out of memory refuses these too: then the shard's reserve is spent.
    """

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._nodes = Nodes(options)
        self._seen: dict[int, bytes] = {}
        self._newest: dict[int, tuple[int, int]] = {}
        self._unsure: dict[int, tuple[int, int]] = {}
        self._reserve = Reserve(options)
        self._reserve_missing: set[int] = set()
        self._forgotten: dict[int, int] = {}

    async def shards(self) -> int:
        """Return how many shards the buffer has, those included that are no longer appended to."""
        async with self._pipeline(0) as (client, _):
            return await known_shards(client, self._options)

    async def acquire(self, shard: int, owner: str) -> Lease | None:
        """Take the lease with a new epoch when it is free, expired or ``owner``'s own; else None."""
        lease = await self._relieved(shard, lambda: self._acquire(shard, owner))
        await self._lay_reserve(shard)
        return lease

    async def _acquire(self, shard: int, owner: str) -> Lease | None:
        keys = self._keys(shard)
        async with self._pipeline(shard) as (client, pipeline):
            await pipeline.watch(keys.lease)
            holder: Any = await pipeline.get(keys.lease)
            if holder is not None and holder.decode().rpartition(":")[0] != owner:
                return None
            # A buffer that starts empty goes on above the epochs that the store has fenced for the one before it.
            first = await client.set(keys.epoch, time.time_ns() // NANOSECONDS_PER_MILLISECOND, nx=True)
            lease = Lease(shard, owner, int(await client.incr(keys.epoch)))
            pipeline.multi()  # type: ignore[no-untyped-call]
            pipeline.set(keys.lease, _value(lease), px=self._lease_ms)
            try:
                await pipeline.execute()
            except WatchError:
                return None
            await _ensure_group(client, keys, drained_before=not first)
            await replicated(client, keys.mark, self._options)  # or a failover could give the same epoch to another
            noted: Any = await client.get(keys.unsure)
            self._unsure[shard] = max(entry_order(noted or _START), self._newest.get(shard, (0, 0)))
            self._seen.pop(shard, None)
            return lease

    async def renew(self, lease: Lease) -> None:
        """Extend the lease by ``lease_seconds`` from now. Raises LeaseLost."""
        await self._fenced(lease, lambda keys, pipeline: pipeline.pexpire(keys.lease, self._lease_ms))

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""
        with suppress(LeaseLost):
            await self._fenced(lease, lambda keys, pipeline: pipeline.delete(keys.lease))

    async def pending(self, lease: Lease, after: str, limit: int) -> Sequence[Delivery]:
        """Return delivered but unsettled entries behind ``after`` ('0' for the first), oldest first. Raises LeaseLost."""
        return await self._take(lease, after, limit)

    async def read(self, lease: Lease, limit: int, wait_seconds: float) -> Sequence[Delivery]:
        """Return new entries, oldest first; waits up to ``wait_seconds`` for the first one. Raises LeaseLost.

        The wait is a plain read behind the last entry seen, which delivers nothing; taking the entries is fenced.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            taken = await self._take(lease, ">", limit)
            remaining = deadline - loop.time()
            if taken or remaining <= 0:
                return taken
            await self._wait(lease.shard, min(remaining, self._options.reply_timeout_seconds / 2))

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Acknowledge, delete, count and dead-letter in one transaction. Raises LeaseLost when fenced: nothing was done."""
        entries = [position.entry for position in settlement.positions]
        counters = _counters(settlement)

        def build(keys: ShardKeys, pipeline: Pipeline) -> None:
            for start in range(0, len(entries), _DELETE_MAX):
                some = entries[start : start + _DELETE_MAX]
                pipeline.xack(keys.stream, GROUP, *some)
                pipeline.xdel(keys.stream, *some)
            for letter in settlement.dead_letters:
                pipeline.xadd(keys.dead, dead_fields(letter))
            for entry, indexes in dead_indexes(settlement.dead_letters).items():
                pipeline.set(keys.dead_of + entry, indexes, ex=_DEAD_OF_SECONDS)
            for field, amount in counters.items():
                pipeline.hincrby(keys.ledger, field, amount)

        await self._fenced(lease, build)
        if lease.shard in self._reserve_missing:
            await self._lay_reserve(lease.shard)
        today = day_of(time.time_ns() // NANOSECONDS_PER_MILLISECOND)
        if today > self._forgotten.get(lease.shard, 0):
            await self._forget_days(lease.shard, today)

    async def _forget_days(self, shard: int, today: int) -> None:
        """Drop the counters of days that are over for the ledger; should that fail, another day does it."""
        self._forgotten[shard] = today
        ledger = self._keys(shard).ledger
        with suppress(Overloaded, BufferUnavailable):
            async with self._pipeline(shard) as (client, _):
                await forget_days(client, ledger, Cut(today - self._options.ledger_days))

    async def close(self) -> None:
        """Close the connections."""
        await self._nodes.close()

    def _keys(self, shard: int) -> ShardKeys:
        return shard_keys(self._options.namespace, shard)

    @property
    def _lease_ms(self) -> int:
        return int(self._options.lease_seconds * 1000)

    async def _take(self, lease: Lease, after: str, limit: int) -> list[Delivery]:
        """Read as the group's consumer under the lease. A group that is gone is made again by who takes the lease next."""
        (streams,) = await self._fenced(
            lease, lambda keys, pipeline: pipeline.xreadgroup(GROUP, CONSUMER, {keys.stream: after}, count=limit)
        )
        rows = [row for _, found in streams or () for row in found]
        unsure = (0, 0)
        if after == ">" and rows:
            unsure = self._unsure.get(lease.shard, unsure)
            self._note(lease.shard, rows[0][0], rows[-1][0])
            async with self._pipeline(lease.shard) as (client, _):  # or a failover could deliver them once more as new
                await replicated(client, self._keys(lease.shard).mark, self._options)
        return [_delivery(lease.shard, entry, fields, entry_order(entry) <= unsure) for entry, fields in rows]

    def _note(self, shard: int, first: bytes, last: bytes) -> None:
        """Remember what was delivered as new. Raises BufferUnavailable when it was delivered before: then the server has gone
        back, to what a replica or its disk had, and recovery verifies what is pending now."""
        if entry_order(first) <= entry_order(self._seen.get(shard, _START)):
            raise BufferUnavailable(f"shard {shard}: entry {first.decode()} was delivered before: the buffer has gone back")
        self._seen[shard] = last
        self._newest[shard] = max(entry_order(last), self._newest.get(shard, (0, 0)))

    async def _wait(self, shard: int, seconds: float) -> None:
        """Return when there is an entry behind the last one seen, or when the time is over."""
        stream = self._keys(shard).stream
        async with self._pipeline(shard) as (client, _):
            if shard not in self._seen:
                groups = await client.xinfo_groups(stream)
                ours = (group["last-delivered-id"] for group in groups if group["name"] == GROUP.encode())
                self._seen[shard] = next(ours, _START)
            await client.xread({stream: self._seen[shard]}, count=1, block=max(1, int(seconds * 1000)))

    async def _fenced(self, lease: Lease, build: Callable[[ShardKeys, Pipeline], Any]) -> list[Any]:
        """Carry out the commands in one transaction if the lease is ours. Raises LeaseLost; then none was carried out."""
        return await self._relieved(lease.shard, lambda: self._fenced_once(lease, build))

    async def _relieved(self, shard: int, change: Callable[[], Awaitable[T]]) -> T:
        """Make the change; if the server is out of memory, once more with the reserve spent."""
        try:
            return await change()
        except Overloaded:
            async with self._pipeline(shard) as (client, _):
                await self._reserve.spend(client, self._keys(shard))
            self._reserve_missing.add(shard)
            return await change()

    async def _lay_reserve(self, shard: int) -> None:
        """Set the reserve aside; without room for it the next settlement tries again."""
        self._reserve_missing.add(shard)
        with suppress(Overloaded, BufferUnavailable):
            async with self._pipeline(shard) as (client, _):
                if await self._reserve.lay(client, self._keys(shard)):
                    self._reserve_missing.discard(shard)

    async def _fenced_once(self, lease: Lease, build: Callable[[ShardKeys, Pipeline], Any]) -> list[Any]:
        """A transaction that fails because the lease was touched, by our own renewal perhaps, looks at the lease again."""
        keys = self._keys(lease.shard)
        async with self._pipeline(lease.shard) as (_, pipeline):
            for _ in range(_ATTEMPTS_MAX):
                await pipeline.watch(keys.lease)
                if await pipeline.get(keys.lease) != _value(lease).encode():
                    break
                pipeline.multi()  # type: ignore[no-untyped-call]
                build(keys, pipeline)
                try:
                    results: list[Any] = await pipeline.execute()
                    return results
                except WatchError:
                    continue
        raise LeaseLost(f"shard {lease.shard} is no longer owned by {lease.owner} (epoch {lease.epoch})")

    @asynccontextmanager
    async def _pipeline(self, shard: int) -> AsyncIterator[tuple[Redis, Pipeline]]:
        """Give the shard's server and a pipeline on it; what they raise comes out translated."""
        try:
            client = await self._nodes.client(shard)
            async with client.pipeline(transaction=True) as pipeline:
                yield client, pipeline
        except FOREIGN as error:
            self._nodes.forget()
            if "NOGROUP" in str(error):
                raise BufferUnavailable(f"the consumer group, or the whole stream, is gone: {error}") from error
            raise translate(error) from error


def _value(lease: Lease) -> str:
    return f"{lease.owner}:{lease.epoch}"


async def _ensure_group(client: Redis, keys: ShardKeys, *, drained_before: bool) -> None:
    """Create the group, if it is not there, at the start of the stream: never at its end, or what is in it would be skipped.

    What is in it may be stored already, if it was drained before: up to where is noted first.
    """
    try:
        if any(group["name"] == GROUP.encode() for group in await client.xinfo_groups(keys.stream)):
            return
    except ResponseError as error:
        if "no such key" not in str(error):
            raise
    newest: Any = await client.xrevrange(keys.stream, count=1)
    if newest and drained_before:
        await client.set(keys.unsure, newest[0][0])
    try:
        await client.xgroup_create(keys.stream, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _delivery(shard: int, entry: bytes, fields: Any, unsure: bool) -> Delivery:
    """Return the entry as read; one without the fields of ours is a frame of no bytes, which no checksum fits."""
    position = Position(shard, entry.decode())
    if fields is None or not fields:
        return Delivery(position, None)
    count = fields.get(FIELD_COUNT, b"0")
    return Delivery(
        position,
        fields.get(FIELD_FRAME, b""),
        fields.get(FIELD_TENANT, b"").decode(errors="replace"),
        int(count) if count.isdigit() else 0,
        unsure or FIELD_REPLAYED in fields,
    )


def _counters(settlement: Settlement) -> dict[str, int]:
    """Return what each field of the ledger changes by: what leaves the buffer is stored or dead."""
    counters: Counter[str] = Counter()
    for tenant, count in settlement.stored.items():
        counters[ledger_field("stored", tenant)] += count
        counters[ledger_field("in_buffer", tenant)] -= count
    for (tenant, day), count in settlement.stored_by_day.items():
        counters[ledger_field(day_counter(day), tenant)] += count
    for letter in settlement.dead_letters:
        counters[ledger_field("dead_lettered", letter.tenant)] += letter.count
        counters[ledger_field("in_buffer", letter.tenant)] -= letter.count
    return counters
