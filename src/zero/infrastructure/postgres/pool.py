"""A few connections, used again while they are good; no wait on a server that has gone silent lasts beyond its bound."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from psycopg import AsyncConnection, Error
from psycopg.pq import TransactionStatus

Open = Callable[[], Awaitable[AsyncConnection]]


class Connections:
    """At most ``connections_max`` at once; who asks for more waits. Raises the driver's own errors."""

    def __init__(self, open_one: Open, connections_max: int, use_seconds_max: float) -> None:
        self._open = open_one
        self._free = asyncio.Semaphore(connections_max)
        self._idle: list[AsyncConnection] = []
        self._use_seconds_max = use_seconds_max

    @asynccontextmanager
    async def one(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection outside any transaction. One that comes back otherwise is closed, which undoes what it was at."""
        async with self._free:
            connection = self._idle.pop() if self._idle else await self._open()
            cut = asyncio.get_running_loop().call_later(self._use_seconds_max, _cut, connection)
            try:
                yield connection
            finally:
                cut.cancel()
                await self._take_back(connection)

    async def _take_back(self, connection: AsyncConnection) -> None:
        if connection.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(connection)
            return
        broken = connection.closed
        await connection.close()
        if broken:  # the server has gone: so have the others
            await self.close()

    async def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            await self._idle.pop().close()


def _cut(connection: AsyncConnection) -> None:
    """End the conversation for good, so that whoever waits for its next word is told: a cancelled wait would go on waiting."""
    with suppress(OSError, Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
