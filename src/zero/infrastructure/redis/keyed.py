"""Appends with an idempotency key: at most one frame for each key, however many processes try at once.

``WATCH`` ties the look at a key to the transaction that writes it, and belongs to a connection: so these appends have one of
their own for each shard. While a batch is under way the next one gathers.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zero.application.background import end
from zero.application.ports import Append, Appended, Position
from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.redis.appends import ShardAppends, ignore_outcome
from zero.infrastructure.redis.failures import unreachable
from zero.infrastructure.redis.keys import ShardKeys
from zero.infrastructure.redis.link import Link
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.replication import check_replicas, waiting
from zero.infrastructure.redis.requests import EXEC, MULTI, entry_ids, pack, pack_appends

_BATCH_MAX = 128
_CONFLICTS_MAX = 16
_FORGET_MAX = 1024
_PATIENCE_SHARE = 0.75
"""A silent server is given up after this share of ``timeout_seconds``, looked at twice in it: a retry with the key is safe."""
_UNWATCH = pack("UNWATCH")


@dataclass(frozen=True, slots=True)
class Ticket:
    """An append on its way, the digest of its key, and the receipt to remember."""

    append: Append
    digest: str
    receipt: bytes
    done: "asyncio.Future[Appended]"


class KeyedAppends:
    """The keyed appends of one shard."""

    def __init__(self, shard: int, keys: ShardKeys, nodes: Nodes, appends: ShardAppends, options: RedisOptions) -> None:
        self._shard = shard
        self._keys = keys
        self._nodes = nodes
        self._appends = appends
        self._options = options
        self._waiting: deque[Ticket] = deque()
        self._waiting_bytes = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None

    def put(self, append: Append, digest: str, receipt: bytes) -> "asyncio.Future[Appended]":
        """Queue the append. Raises Overloaded when too much waits already."""
        if self._closed:
            raise unreachable("closed")
        size_bytes = len(append.frame)
        if self._waiting and self._waiting_bytes + size_bytes > self._options.unanswered_bytes_max:
            raise Overloaded(f"{self._waiting_bytes} bytes of keyed appends wait for the buffer", retry_after_seconds=1.0)
        ticket = Ticket(append, digest, receipt, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        self._waiting_bytes += size_bytes
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return ticket.done

    async def close(self) -> None:
        """Stop; what waits fails."""
        self._closed = True
        if self._task is not None:
            await end(self._task)
        self._fail(self._waiting, unreachable("closed"))
        self._waiting.clear()
        if self._link is not None:
            self._link.close()

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._take())
        finally:
            self._task = None

    def _fail(self, tickets: Iterable[Ticket], error: Exception) -> None:
        for ticket in tickets:
            if not ticket.done.done():
                ticket.done.set_exception(error)
                ticket.done.add_done_callback(ignore_outcome)

    def _take(self) -> list[Ticket]:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]
        self._waiting_bytes -= sum(len(ticket.append.frame) for ticket in batch)
        return batch

    async def _answer(self, batch: Sequence[Ticket]) -> None:
        """Append the batch and tell each ticket; of two with the same key the second gets what the first got."""
        try:
            first: dict[str, Ticket] = {}
            for ticket in batch:
                first.setdefault(ticket.digest, ticket)
            outcome = await self._append(first)
        except (Exception, asyncio.CancelledError) as error:  # whatever it was, those who wait must hear of it
            self._fail(batch, error if isinstance(error, Exception) else unreachable("closed"))
            if isinstance(error, BufferUnavailable):  # those behind would only wait for the same
                self._fail(self._waiting, error)
                self._waiting.clear()
                self._waiting_bytes = 0
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        for ticket in batch:
            appended = outcome[ticket.digest]
            if ticket is not first[ticket.digest] and appended.earlier_receipt is None:
                appended = Appended(None, first[ticket.digest].receipt)
            if not ticket.done.done():
                ticket.done.set_result(appended)

    async def _append(self, tickets: dict[str, Ticket]) -> dict[str, Appended]:
        """Append what is not known yet. A transaction that lost against another process looks again."""
        await self._appends.ready(sum(len(ticket.append.frame) for ticket in tickets.values()))
        for _ in range(_CONFLICTS_MAX):
            link = await self._connected()
            outcome = await self._known(link, tickets)
            fresh = [ticket for digest, ticket in tickets.items() if digest not in outcome]
            if not fresh:
                await self._replicated(link)
                return outcome
            results = await self._commit(link, fresh)
            if results is not None:
                for ticket, entry in zip(fresh, entry_ids(results), strict=True):
                    outcome[ticket.digest] = Appended(Position(self._shard, entry))
                await self._forget_oldest(link, results[-1])
                return outcome
        raise BufferUnavailable(f"lost {_CONFLICTS_MAX} times against other appends with the same key")

    async def _replicated(self, link: Link) -> None:
        """Return once replicas have what the first tries of these keys appended. Raises BufferUnavailable, also when there is
        no memory left to ask: what is kept must not be refused as if it were not."""
        if not self._options.replicas:
            return
        replies = await link.call([pack("SET", self._keys.mark, ""), waiting(self._options)], 2)
        try:
            self._check(replies)
        except Overloaded as error:
            raise BufferUnavailable(f"{error.message}; whether replicas have it is unknown") from error
        check_replicas(replies[-1], self._options)

    async def _known(self, link: Link, tickets: dict[str, Ticket]) -> dict[str, Appended]:
        """Watch the keys and return the receipts of those that are known."""
        keys = [self._keys.idempotency + digest for digest in tickets]
        replies = await link.call([_UNWATCH, pack("WATCH", *keys), *(pack("GET", key) for key in keys)], len(keys) + 2)
        self._check(replies)
        return {
            digest: Appended(None, receipt) for digest, receipt in zip(tickets, replies[2:], strict=True) if receipt is not None
        }

    async def _commit(self, link: Link, tickets: Sequence[Ticket]) -> list[Any] | None:
        """Append and remember in one transaction, and wait for replicas behind it, which no lack of memory refuses.

        None when a watched key was changed meanwhile.
        """
        parts, commands = pack_appends(self._keys, [ticket.append for ticket in tickets])
        for ticket in tickets:
            key = self._keys.idempotency + ticket.digest
            parts.append(pack("SET", key, ticket.receipt, "EX", str(self._options.idempotency_seconds)))
        parts.append(pack("RPUSH", self._keys.remembered, *(ticket.digest for ticket in tickets)))
        parts += (EXEC, waiting(self._options)) if self._options.replicas else (EXEC,)
        at_exec = commands + len(tickets) + 2
        replies = await link.call((MULTI, *parts), at_exec + (2 if self._options.replicas else 1))
        self._check(replies)
        results: list[Any] | None = replies[at_exec]
        if results is not None and self._options.replicas:
            check_replicas(replies[-1], self._options)
        return results

    async def _forget_oldest(self, link: Link, remembered: int) -> None:
        """Forget the oldest keys above the bound, many at a time."""
        if remembered < self._options.idempotency_keys_max + _FORGET_MAX:
            return
        replies = await link.call([pack("LPOP", self._keys.remembered, str(_FORGET_MAX))], 1)
        self._check(replies)
        self._check(await link.call([pack("DEL", *(self._keys.idempotency + digest.decode() for digest in replies[0]))], 1))

    def _check(self, replies: Sequence[Any]) -> None:
        try:
            self._appends.check(replies)
        except BufferUnavailable:
            if self._link is not None:
                self._link.close()
            raise

    async def _connected(self) -> Link:
        if self._link is None or not self._link.open:
            self._link = await self._nodes.link(self._shard, self._options.timeout_seconds * _PATIENCE_SHARE)
        return self._link
