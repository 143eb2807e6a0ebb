"""A door: every line of a TCP connection is a message; each is answered, once it is on disk, with ``ok`` or the reason why not.

A real one is a package of ``src/zero/interfaces``, started by ``src/zero/bootstrap/ingest.py``, its address in ``settings.py``.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zero.application.identity import Identity
from zero.application.ingest import Ingest, future_waiter
from zero.application.key_ring import KeyRing
from zero.application.ports import Codec
from zero.application.submission import Submission
from zero.domain.errors import ZeroError
from zero.domain.key import KeyScope

LINE_BYTES_MAX = 64 * 1024


class LineDoor:
    """The first line of a connection is an API key, or empty; what follows belongs to the key's tenant."""

    def __init__(self, ingest: Ingest, codec: Codec, keys: KeyRing) -> None:
        self._ingest, self._codec, self._keys = ingest, codec, keys

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
        """Listen meanwhile; gives the address."""
        async with await asyncio.start_server(self._serve, host, port, limit=LINE_BYTES_MAX) as server:
            yield server.sockets[0].getsockname()[:2]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            identity = self._keys.authorise((await reader.readline()).decode().strip(), KeyScope.INGEST)
            while line := (await reader.readline()).decode(errors="replace").strip():
                await self._store(line, writer.get_extra_info("peername")[0], identity)
                writer.write(b"ok\n")
                await writer.drain()
        except (ZeroError, ValueError) as error:  # ValueError: the line is too long
            writer.write(f"{error}\n".encode())
        finally:
            writer.close()

    async def _store(self, line: str, peer: str, identity: Identity) -> None:
        waiter, receipt = future_waiter()
        body = json.dumps({"message": line}).encode()
        self._ingest.accept(Submission(body, self._codec.decode_json, peer, waiter, identity))
        await receipt
