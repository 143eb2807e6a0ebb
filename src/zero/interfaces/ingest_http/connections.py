"""The connections of one process: how many, from whom, and one sweep over them instead of a timer for each."""

import asyncio
from contextlib import suppress
from email.utils import formatdate
from typing import Protocol

from zero.application.ingest_events import RequestRejected
from zero.application.ports import Telemetry
from zero.interfaces.ingest_http.heads import Heads
from zero.interfaces.ingest_http.http2.head_blocks import KnownBlocks
from zero.interfaces.ingest_http.http2.reply_blocks import ReplyBlocks
from zero.interfaces.ingest_http.options import IngestHttpOptions
from zero.interfaces.ingest_http.reader import BodyBudget
from zero.interfaces.ingest_http.reply import Reply
from zero.interfaces.ingest_http.routes import Routes


class Connection(Protocol):
    """What the sweep and the stop need of a connection, whatever its protocol version."""

    def check(self, now: float) -> None:
        """Close what is too slow."""

    def stop(self) -> None:
        """Close when nothing is in flight; else after the last reply."""

    def abort(self, reason: str) -> None:
        """Close at once."""


class Connections:
    """What connections share. ``now`` (monotonic seconds) and ``date`` are as old as the last sweep."""

    def __init__(self, routes: Routes, telemetry: Telemetry, options: IngestHttpOptions) -> None:
        self.options = options
        self.telemetry = telemetry
        self.heads = Heads(routes, options)
        self.budget = BodyBudget(options.bodies_bytes_max)
        self.blocks = KnownBlocks(self.heads, options)
        routes.keys.on_change(self.blocks.forget)
        self.reply_blocks = ReplyBlocks()
        self.replies_budget = BodyBudget(options.replies_bytes_max)
        self.stopping = False
        self._empty = asyncio.Event()
        self.now = 0.0
        self.date = b""
        self._open: set[Connection] = set()
        self._by_address: dict[str, int] = {}
        self.tick()

    def add(self, connection: Connection, address: str) -> str:
        """Take the connection in. Returns why it must go at once, or ''."""
        self._open.add(connection)
        self._by_address[address] = count = self._by_address.get(address, 0) + 1
        if len(self._open) > self.options.connections_max:
            return f"this process has its {self.options.connections_max} connections already"
        if address and count > self.options.connections_per_address_max:
            return f"your address has its {self.options.connections_per_address_max} connections already"
        return "this process is stopping" if self.stopping else ""

    def refused(self, reply: Reply) -> Reply:
        """Count a request that no door has seen; returns the reply that refuses it."""
        self.telemetry.emit(RequestRejected(reply.reason))
        return reply

    def remove(self, connection: Connection, address: str) -> None:
        """Forget a connection that is closed."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
        if not self._open:
            self._empty.set()

    @property
    def crowded(self) -> bool:
        """Whether so many are over the limit that there is no time for a word to each."""
        return len(self._open) > self.options.connections_max * 5 // 4

    def tick(self) -> None:
        """Bring the clock and the date up to date."""
        self.now = asyncio.get_running_loop().time()
        self.date = formatdate(usegmt=True).encode()

    async def sweep(self) -> None:
        """Check every connection about once a second, for ever."""
        while True:
            await asyncio.sleep(self.options.sweep_seconds)
            self.tick()
            for connection in list(self._open):
                connection.check(self.now)

    async def stop(self, timeout_seconds: float) -> None:
        """Let each connection end with its last reply; cut off those that take longer."""
        self.stopping = True
        for connection in list(self._open):
            connection.stop()
        if self._open:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout_seconds)
        for connection in list(self._open):
            connection.abort("stop")

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)
