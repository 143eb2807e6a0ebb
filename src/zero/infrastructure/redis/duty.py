"""A duty is a key of the buffer that names its holder and expires."""

import asyncio
import secrets
from contextlib import suppress

from redis.exceptions import WatchError

from zero.application.background import end
from zero.domain.errors import ZeroError
from zero.infrastructure.redis.failures import FOREIGN
from zero.infrastructure.redis.keys import duty_key
from zero.infrastructure.redis.nodes import Nodes
from zero.infrastructure.redis.options import RedisOptions


class RedisDuty:
    """Implements Duty. The holder renews it three times in ``lease_seconds``; after that long without, another may take it."""

    def __init__(self, options: RedisOptions, name: str, lease_seconds: float = 10.0) -> None:
        self._nodes = Nodes(options)
        self._key = duty_key(options.namespace, name)
        self._lease_seconds = lease_seconds
        self._me = secrets.token_hex(8).encode()
        self._renewing: asyncio.Task[None] | None = None

    async def take(self) -> bool:
        """Ask the buffer, unless it is ours and renewed."""
        if self._renewing is not None and not self._renewing.done():
            return True
        taken = await self._claim()
        if taken:
            self._renewing = asyncio.create_task(self._renew())
        return taken

    async def leave(self) -> None:
        """Delete the key if it is ours; where that fails it expires."""
        if self._renewing is None:
            return
        await end(self._renewing)
        self._renewing = None
        with suppress(*FOREIGN, ZeroError):
            async with (await self._nodes.client(0)).pipeline(transaction=True) as pipeline:
                await pipeline.watch(self._key)
                if await pipeline.get(self._key) == self._me:
                    pipeline.multi()  # type: ignore[no-untyped-call]
                    pipeline.delete(self._key)
                    await pipeline.execute()

    async def close(self) -> None:
        """Leave, and close the connections."""
        await self.leave()
        await self._nodes.close()

    async def _claim(self) -> bool:
        """Make it ours for ``lease_seconds`` from now, if it is nobody's or ours."""
        with self._nodes.translated(), suppress(WatchError):
            async with (await self._nodes.client(0)).pipeline(transaction=True) as pipeline:
                await pipeline.watch(self._key)
                if await pipeline.get(self._key) in (None, self._me):
                    pipeline.multi()  # type: ignore[no-untyped-call]
                    pipeline.set(self._key, self._me, px=int(self._lease_seconds * 1000))
                    await pipeline.execute()
                    return True
        return False

    async def _renew(self) -> None:
        """Renew until it is another's, or cannot be."""
        with suppress(ZeroError):
            while True:
                await asyncio.sleep(self._lease_seconds / 3)
                if not await self._claim():
                    return
