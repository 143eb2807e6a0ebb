"""A TCP proxy that misbehaves on request, between any two parts; it listens and connects on TCP or unix sockets.

Bytes pass unchanged until a fault is set; a fault is for all connections, those that are open too, until it is lifted. What a
fault does is counted in ``hits``, so that a run can prove that it happened.
"""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

PIECE_BYTES = 64 * 1024
LATE_SECONDS = 0.05

Endpoint = tuple[str, int] | str
"""(host, port), or the path of a unix socket."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, all at once where several are set.

    ``delay_seconds`` for each piece in each direction. ``refuse``: new connections are reset. ``half_open``: nothing passes in
    either direction and nothing is closed. ``lose_replies``: requests arrive, answers do not; with ``cut_after_reply`` the
    connection is reset in that moment. ``bytes_per_second`` in each direction. ``cut_after_bytes``: a connection is reset after
    so many more bytes of requests.
    """

    delay_seconds: float = 0.0
    refuse: bool = False
    half_open: bool = False
    lose_replies: bool = False
    cut_after_reply: bool = False
    bytes_per_second: int = 0
    cut_after_bytes: int = 0


CALM = Faults()


class _Connection:
    """Two streams and the bytes between them."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.up_bytes = 0

    def reset(self) -> None:
        """Close both sides with RST where the socket can."""
        for writer in (self.near, self.far):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.family != socket.AF_UNIX:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """One way between two parts."""

    def __init__(self, listen: Endpoint, target: Endpoint) -> None:
        self.listen = listen
        self.target = target
        self.hits: Counter[str] = Counter()
        self._faults = CALM
        self._changed = asyncio.Event()
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> "Proxy":
        """Listen."""
        if isinstance(self.listen, str):
            self._server = await asyncio.start_unix_server(self._accepted, self.listen)
        else:
            self._server = await asyncio.start_server(self._accepted, *self.listen)
        return self

    def set(self, faults: Faults) -> None:
        """Go wrong like this from now on; ``CALM`` heals what can be healed."""
        self._faults = faults
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> int:
        """Reset every connection; return how many there were."""
        cut = len(self._open)
        for connection in list(self._open):
            connection.reset()
        self.hits["cut"] += cut
        return cut

    async def close(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._faults.refuse:
            self.hits["refused"] += 1
            writer.transport.abort()
            return
        try:
            if isinstance(self.target, str):
                far_reader, far = await asyncio.open_unix_connection(self.target)
            else:
                far_reader, far = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, far)
        self._open.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, reader, far, up=True), self._pump(connection, far_reader, writer, up=False)
            )
        except OSError:
            connection.reset()
        finally:
            self._open.discard(connection)
            writer.close()
            far.close()

    async def _pump(self, of: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        while piece := await reader.read(PIECE_BYTES):
            if not await self._passes(of, piece, up):
                continue
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            with suppress(OSError):
                writer.write_eof()

    async def _passes(self, of: _Connection, piece: bytes, up: bool) -> bool:
        """Do to a piece what is asked for; False when it is lost."""
        while (faults := self._faults).half_open:
            self.hits["half_open"] += 1
            await self._changed.wait()
        if faults.delay_seconds:
            self.hits["delay"] += 1
            await asyncio.sleep(faults.delay_seconds)
        if faults.bytes_per_second:
            self.hits["slow"] += 1
            await asyncio.sleep(len(piece) / faults.bytes_per_second)
        if not up and faults.lose_replies:
            self.hits["reply_lost"] += 1
            if faults.cut_after_reply:
                of.reset()
            return False
        if up and faults.cut_after_bytes:
            of.up_bytes += len(piece)
            if of.up_bytes >= faults.cut_after_bytes:
                self.hits["cut_after_bytes"] += 1
                of.reset()
                return False
        return True
