"""The streams of one process: how many, from whom, and how much they hold together."""

import asyncio
from contextlib import suppress
from typing import Protocol

from zero.interfaces.ingest_syslog.delivery import SyslogServices
from zero.interfaces.ingest_syslog.losses import Losses
from zero.interfaces.ingest_syslog.options import SyslogOptions


class Held(Protocol):
    """A stream as the bounds see it."""

    @property
    def size(self) -> int:
        """Bytes of messages that are not under way yet."""

    @property
    def delivers(self) -> bool:
        """Whether messages of it are under way, so that it will hold less."""

    def check(self) -> None:
        """End what takes too long."""

    def hold_back(self) -> None:
        """Read only while there is room for more."""

    def evict(self, reason: str) -> None:
        """Close, and drop what is held."""

    def farewell(self) -> None:
        """Tell the sender that nothing more will be taken soon; what comes is taken still."""

    def close(self, reason: str) -> None:
        """Read no more; what was read is delivered still."""

    def give_up(self, reason: str) -> None:
        """Count what is not delivered as lost."""


class Streams:
    """What the streams share. ``now`` (monotonic seconds) is as old as the last sweep."""

    def __init__(self, services: SyslogServices, options: SyslogOptions, losses: Losses) -> None:
        self.services = services
        self.options = options
        self.losses = losses
        self.now = asyncio.get_running_loop().time()
        self.stopping = False
        self.crowded = False
        self._held_bytes = 0
        self._open: set[Held] = set()
        self._by_address: dict[str, int] = {}
        self._empty = asyncio.Event()

    def add(self, stream: Held, source: str) -> bool:
        """Take the stream in; False when there is no room for it."""
        self._open.add(stream)
        self._by_address[source] = count = self._by_address.get(source, 0) + 1
        crowded = len(self._open) > self.options.streams_max or count > self.options.streams_per_address_max
        return not (crowded or self.stopping)

    def remove(self, stream: Held, source: str) -> None:
        """Forget a stream that has ended and holds nothing."""
        if stream not in self._open:
            return
        self._open.discard(stream)
        self._by_address[source] -= 1
        if not self._by_address[source]:
            del self._by_address[source]
        if not self._open:
            self._empty.set()

    def hold(self, count: int) -> None:
        """Note that so many bytes more are held. Above the bound nobody is read until a quarter of it is free again."""
        self._held_bytes += count
        if self._held_bytes > self.options.streams_bytes_max and not self.crowded:
            self.crowded = True
            self._everybody_hold_back()
            self._relieve()

    def let_go(self, count: int) -> None:
        """Note that so many bytes are held no longer."""
        self._held_bytes -= count

    def relieve(self) -> None:
        """Go on reading when there is room again; the streams call this when messages of theirs were delivered."""
        if self.crowded:
            self._relieve()

    def _relieve(self) -> None:
        """While there is too little room and nothing is under way that could make some, the largest piece of a message goes."""
        enough = self.options.streams_bytes_max * 3 // 4
        if not any(stream.delivers for stream in self._open):
            for stream in sorted(self._open, key=lambda one: one.size, reverse=True):
                if self._held_bytes <= enough:
                    break
                stream.evict("crowded")
        if self._held_bytes <= enough:
            self.crowded = False
            self._everybody_hold_back()

    def _everybody_hold_back(self) -> None:
        for stream in list(self._open):
            stream.hold_back()

    async def sweep(self) -> None:
        """Look at every stream about once a second, for ever."""
        while True:
            await asyncio.sleep(self.options.sweep_seconds)
            self.now = asyncio.get_running_loop().time()
            for stream in list(self._open):
                stream.check()

    async def stop(self) -> None:
        """Let the senders notice; then deliver what was read, and give up what is not taken in time."""
        self.stopping = True
        for stream in list(self._open):
            stream.farewell()
        await self._ended(self.options.linger_seconds)
        for stream in list(self._open):
            stream.close("stop")
        await self._ended(self.options.stop_timeout_seconds - self.options.linger_seconds)
        for stream in list(self._open):
            stream.give_up("stop")

    async def _ended(self, timeout_seconds: float) -> None:
        if self._open:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout_seconds)
