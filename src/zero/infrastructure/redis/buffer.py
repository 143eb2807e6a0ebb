"""The durable buffer as ingest and api see it, in Redis or Valkey streams."""

import asyncio
from collections.abc import Container, Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from zero.application.ports import Append, Appended, BufferLevel, DeadLetter, Durability, Position
from zero.domain.errors import ZeroError
from zero.domain.ledger import TenantLedger
from zero.infrastructure.redis.appends import ShardAppends, ignore_outcome
from zero.infrastructure.redis.counters import counters
from zero.infrastructure.redis.dead import (
    Removal,
    back_into_the_stream,
    counted_as_dropped,
    dead_letter,
    format_cursor,
    parse_cursor,
    parse_dead_indexes,
    remove,
)
from zero.infrastructure.redis.durability import durability
from zero.infrastructure.redis.epoch import ProcessEpoch
from zero.infrastructure.redis.gauge import memory
from zero.infrastructure.redis.keyed import KeyedAppends
from zero.infrastructure.redis.keys import (
    GROUP,
    ShardKeys,
    entry_order,
    idempotency_digest,
    idempotency_shard,
    shard_keys,
)
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.replication import replicated
from zero.infrastructure.redis.requests import ledgers
from zero.infrastructure.redis.reserve import Reserve
from zero.infrastructure.redis.retention import known_cut
from zero.infrastructure.redis.shards import known_shards, note_shards

DEAD_LETTERS_MAX = 1000


class RedisBuffer:
    """Implements ``ports.Buffer`` and ``ports.DeadLetterStore``. Calls may overlap; appends to a shard keep their order."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._epoch = ProcessEpoch(options)
        self._nodes = Nodes(options, self._epoch.confirm)
        self._keys = [shard_keys(options.namespace, shard) for shard in range(options.shards)]
        self._unkeyed = [ShardAppends(shard, keys, self._nodes, options) for shard, keys in enumerate(self._keys)]
        self._keyed = [
            KeyedAppends(shard, keys, self._nodes, self._unkeyed[shard], options) for shard, keys in enumerate(self._keys)
        ]

    async def append(self, appends: Sequence[Append]) -> Sequence[Appended]:
        """Put the frames on disk: one transaction for each shard, all in one round trip.

        A frame with an idempotency key goes to the shard that its key names, in two round trips. Raises Overloaded, or
        BufferUnavailable; when that comes after the frames were sent their outcome is unknown, and the sender repeats.
        """
        groups: dict[int, list[int]] = {}
        for index, append in enumerate(appends):
            groups.setdefault(-1 - index if append.idempotency else append.shard, []).append(index)
        sent: list[asyncio.Future[Any]] = []
        try:
            for shard, indexes in groups.items():
                if shard < 0:
                    sent.append(self._put(appends[indexes[0]]))
                else:
                    sent.append(await self._unkeyed[shard].send([appends[index] for index in indexes]))
        except ZeroError:
            for future in sent:
                future.add_done_callback(ignore_outcome)
            raise
        answers = [await sent[0]] if len(sent) == 1 else await asyncio.gather(*sent, return_exceptions=True)
        return self._outcomes(groups, answers)

    def _put(self, append: Append) -> "asyncio.Future[Appended]":
        key = append.idempotency
        assert key is not None  # noqa: S101 - the caller looked
        digest = idempotency_digest(key.tenant, key.key)
        return self._keyed[idempotency_shard(digest, self._options.shards)].put(append, digest, key.receipt)

    def _outcomes(self, groups: Mapping[int, list[int]], answers: Sequence[Any]) -> list[Appended]:
        """Return the outcomes in the order of the appends. Raises the first failure among the answers."""
        outcomes: dict[int, Appended] = {}
        for (shard, indexes), answer in zip(groups.items(), answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            if shard < 0:
                outcomes[indexes[0]] = answer
            else:
                for index, entry in zip(indexes, self._unkeyed[shard].confirm(answer), strict=True):
                    outcomes[index] = Appended(Position(shard, entry))
        return [outcomes[index] for index in range(len(outcomes))]

    def silent(self) -> bool:
        """Look at the connections of the shards; no call is made."""
        return any(shard.silent for shard in self._unkeyed)

    async def next_process_epoch(self) -> int:
        """Return a number that no other process has. On the way it makes the shards known and sets their reserves aside."""
        reserve = Reserve(self._options)
        with self._nodes.translated():
            await note_shards(await self._nodes.client(0), self._options)
            for shard, keys in enumerate(self._keys):
                await reserve.lay(await self._nodes.client(shard), keys)
            client = await self._nodes.client(0)
            epoch = await self._epoch.take(client)
            await replicated(client, self._keys[0].mark, self._options)
            return epoch

    async def drained(self, positions: Sequence[Position]) -> Sequence[Container[int] | None]:
        """Look at what was delivered and is no longer pending, and which of it became dead letters. Reads no frame."""
        shards: dict[int, list[int]] = {}
        for index, position in enumerate(positions):
            shards.setdefault(position.shard, []).append(index)
        answers: dict[int, Container[int] | None] = {}
        for shard, indexes in shards.items():
            settled = await self._drained(shard, [positions[index].entry for index in indexes])
            answers.update(zip(indexes, settled, strict=True))
        return [answers[index] for index in range(len(positions))]

    async def _drained(self, shard: int, entries: Sequence[str]) -> list[Container[int] | None]:
        stream, dead_of = self._keys[shard].stream, self._keys[shard].dead_of
        with self._nodes.translated():
            pipeline = (await self._nodes.client(shard)).pipeline(transaction=True)
            pipeline.xinfo_groups(stream)
            for entry in entries:
                pipeline.xpending_range(stream, GROUP, entry, entry, 1)
                pipeline.get(dead_of + entry)
            try:
                groups, *found = await pipeline.execute()
            except ResponseError as error:
                if "NOGROUP" not in str(error) and "no such key" not in str(error):
                    raise
                return [None] * len(entries)  # no drain has been here yet
        delivered = next(entry_order(group["last-delivered-id"]) for group in groups if group["name"] == GROUP.encode())
        return [
            parse_dead_indexes(dead) if entry_order(entry.encode()) <= delivered and not pending else None
            for entry, pending, dead in zip(entries, found[::2], found[1::2], strict=True)
        ]

    async def durability(self) -> Durability:
        """Say what an acknowledgement means with the present settings of every server."""
        with self._nodes.translated():
            nodes = await self._nodes.each(self._options.shards)
            promises = [await durability(client, self._options) for client, _ in nodes]
        return next((promise for promise in promises if promise.mode != "durable"), promises[0])

    async def level(self) -> BufferLevel:
        """Say how full the servers are together, and how many frames wait."""
        used, limit, frames = 0, 0, 0
        with self._nodes.translated():
            for client, shards in await self._nodes.each(await self._shards()):
                node_used, node_limit = memory(await client.info("memory"))
                used, limit = used + node_used, limit + node_limit
                for shard in shards:
                    frames += await client.xlen(self._keys_of(shard).stream)
        return BufferLevel(used, limit, frames)

    async def ledger(self) -> Mapping[str, TenantLedger]:
        """Return the ledger of every tenant; each shard is read in one atomic step, and held against its stream."""
        found: list[tuple[str, int]] = []
        with self._nodes.translated():
            for shard in range(await self._shards()):
                client = await self._nodes.client(shard)
                found += await counters(client, self._keys_of(shard))
            cut = await known_cut(await self._nodes.client(0), self._options)
        return ledgers(found, cut)

    async def dead_letters(self, after: str, limit: int) -> Sequence[tuple[str, DeadLetter]]:
        """Return up to ``limit`` (at most 1,000) dead letters behind the cursor, shard by shard, oldest first."""
        first, entry = parse_cursor(after)
        limit = min(limit, DEAD_LETTERS_MAX)
        found: list[tuple[str, DeadLetter]] = []
        with self._nodes.translated():
            for shard in range(first, await self._shards()):
                missing = limit - len(found)
                if missing <= 0:
                    break
                start = f"({entry}" if shard == first else "-"
                client = await self._nodes.client(shard)
                rows: Any = await client.xrange(self._keys_of(shard).dead, start, "+", count=missing)
                found += [(format_cursor(shard, identity), dead_letter(shard, fields)) for identity, fields in rows]
        return found

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Return the dead letter, if it is there."""
        shard, entry = parse_cursor(id)
        with self._nodes.translated():
            if shard >= await self._shards():
                return None
            rows: Any = await (await self._nodes.client(shard)).xrange(self._keys_of(shard).dead, entry, entry, count=1)
        return dead_letter(shard, rows[0][1]) if rows else None

    async def replay(self, id: str, frame: bytes) -> bool:
        """Move the letter back into the stream in one transaction. Raises BufferFull when the server has no room."""
        return await self._remove(id, back_into_the_stream(frame))

    async def drop(self, id: str) -> bool:
        """Delete the letter and count it as dropped in one transaction."""
        return await self._remove(id, counted_as_dropped)

    async def _remove(self, id: str, also: Removal) -> bool:
        shard, entry = parse_cursor(id)
        with self._nodes.translated():
            if shard >= await self._shards():
                return False
            return await remove(await self._nodes.client(shard), self._keys_of(shard), shard, entry, also)

    async def _shards(self) -> int:
        return await known_shards(await self._nodes.client(0), self._options)

    def _keys_of(self, shard: int) -> ShardKeys:
        return shard_keys(self._options.namespace, shard)

    async def close(self) -> None:
        """Close the connections; calls under way fail."""
        for keyed in self._keyed:
            await keyed.close()
        for shard in self._unkeyed:
            await shard.close()
        await self._nodes.close()
