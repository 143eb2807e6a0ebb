"""The way into one shard: an open connection, a full buffer refused, a dead server noticed at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

from zero.application.ports import Append
from zero.domain.errors import BufferUnavailable, Overloaded
from zero.infrastructure.redis.failures import unreachable
from zero.infrastructure.redis.gauge import Gauge
from zero.infrastructure.redis.keys import ShardKeys
from zero.infrastructure.redis.link import Link, raise_refusal
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.replication import check_replicas, waiting
from zero.infrastructure.redis.requests import EXEC, MULTI, entry_ids, pack_appends

_PAUSE_SECONDS = 0.05
"""How long a failed connection attempt stands for those that would follow it."""

_ANOTHER_SERVER = ("READONLY", "MOVED", "ASK ", "CLUSTERDOWN", "MASTERDOWN", "NOAUTH")
"""Refusals after which a new look at the address may find a server that accepts."""


class ShardAppends:
    """Appends frames to one shard; any number of calls may be under way."""

    def __init__(self, shard: int, keys: ShardKeys, nodes: Nodes, options: RedisOptions) -> None:
        self._shard = shard
        self._keys = keys
        self._nodes = nodes
        self._options = options
        self._gauge = Gauge(options)
        self._link: Link | None = None
        self._opening: asyncio.Task[Link] | None = None
        self._closed = False
        self._failure = ""
        self._failed_at = float("-inf")

    async def send(self, appends: Sequence[Append]) -> "asyncio.Future[list[Any]]":
        """Send the frames in one transaction and return the replies to come. Raises BufferUnavailable or Overloaded unsent."""
        link = await self.ready(sum(len(append.frame) for append in appends))
        parts, commands = pack_appends(self._keys, appends)
        if self._options.replicas:
            return link.call((MULTI, *parts, EXEC, waiting(self._options)), commands + 3)
        return link.call((MULTI, *parts, EXEC), commands + 2)

    def confirm(self, replies: Sequence[Any]) -> list[str]:
        """Return the stream ids given by the replies to ``send``. Raises what the server refused with."""
        self.check(replies)
        if self._options.replicas:
            *replies, have = replies
            check_replicas(have, self._options)
        return entry_ids(replies[-1])

    def check(self, replies: Sequence[Any]) -> None:
        """Raise what the server refused with, if it did, and remember what follows from it."""
        try:
            raise_refusal(replies)
        except Overloaded:
            self._gauge.out_of_memory(self._link)
            raise
        except BufferUnavailable as error:
            if any(code in error.message for code in _ANOTHER_SERVER):
                self._nodes.forget()
                self.drop()
            raise

    async def ready(self, size_bytes: int) -> Link:
        """Return the connection when the shard may take that many bytes more."""
        link = self._link
        if link is None or not link.open:
            link = await self._open_once()
        if link.silent_seconds > self._options.timeout_seconds:
            raise unreachable(f"silent for {link.silent_seconds:.1f} s")
        self._gauge.refresh(link, asyncio.get_running_loop().time())
        if link.unanswered_bytes and link.unanswered_bytes + size_bytes > self._options.unanswered_bytes_max:
            raise Overloaded(f"{link.unanswered_bytes} bytes wait for the buffer's answer", retry_after_seconds=1.0)
        self._gauge.admit(size_bytes)
        return link

    @property
    def silent(self) -> bool:
        """Whether calls wait and the server has been silent for longer than ``timeout_seconds``."""
        return self._link is not None and self._link.silence() > self._options.timeout_seconds

    async def close(self) -> None:
        """Close the connection for good; calls under way fail."""
        self._closed = True
        if self._opening is not None:
            await asyncio.wait((self._opening,))
        self.drop()

    def drop(self) -> None:
        """Close the connection; the next append opens another."""
        if self._link is not None:
            self._link.close()
            self._link = None

    async def _open_once(self) -> Link:
        """Open the connection once for all who ask at the same time."""
        if self._closed:
            raise unreachable("closed")
        if self._opening is None:
            if asyncio.get_running_loop().time() - self._failed_at < _PAUSE_SECONDS:
                raise BufferUnavailable(self._failure)
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(ignore_outcome)
        return await asyncio.shield(self._opening)

    async def _open(self) -> Link:
        try:
            self._link = await self._nodes.link(self._shard)
            return self._link
        except BufferUnavailable as error:
            self._failure, self._failed_at = error.message, asyncio.get_running_loop().time()
            raise
        finally:
            self._opening = None


def ignore_outcome(future: "asyncio.Future[Any]") -> None:
    """Take note of an outcome that perhaps nobody waits for any more."""
    if not future.cancelled():
        future.exception()
