"""Syslog over TCP and TLS. Nothing answers the sender, so nothing is read that could not be kept: TCP holds the sender back."""

import asyncio
import re
import socket
from contextlib import suppress
from typing import cast

from zero.interfaces.ingest_syslog.delivery import Delivery, Parcel, SyslogServices
from zero.interfaces.ingest_syslog.events import SyslogClosed, SyslogLost
from zero.interfaces.ingest_syslog.options import SyslogOptions

_COUNT = re.compile(rb"[1-9][0-9]{0,9}( <|$| $)")


class Streams:
    """The streams of one process: how many, from whom, and how much they hold together."""

    def __init__(self, services: SyslogServices, options: SyslogOptions) -> None:
        self.services = services
        self.options = options
        self.held_bytes = 0
        self.now = asyncio.get_running_loop().time()
        self._open: set[Stream] = set()
        self._by_address: dict[str, int] = {}
        self._empty = asyncio.Event()
        self.stopping = False

    def add(self, stream: "Stream", source: str) -> bool:
        """Take the stream in; False when there is no room for it."""
        self._open.add(stream)
        self._by_address[source] = count = self._by_address.get(source, 0) + 1
        crowded = len(self._open) > self.options.streams_max or count > self.options.streams_per_address_max
        return not (crowded or self.stopping)

    def remove(self, stream: "Stream", source: str) -> None:
        """Forget a stream that has ended and holds nothing."""
        if stream not in self._open:
            return
        self._open.discard(stream)
        self._by_address[source] -= 1
        if not self._by_address[source]:
            del self._by_address[source]
        if not self._open:
            self._empty.set()

    async def sweep(self) -> None:
        """Look at every stream about once a second, for ever."""
        while True:
            await asyncio.sleep(self.options.sweep_seconds)
            self.now = asyncio.get_running_loop().time()
            for stream in list(self._open):
                stream.check()

    async def stop(self) -> None:
        """Deliver what was read; give up what is not taken in time."""
        self.stopping = True
        for stream in list(self._open):
            stream.close("stop")
        if self._open:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), self.options.stop_timeout_seconds)
        for stream in list(self._open):
            stream.give_up("stop")


class Stream(asyncio.Protocol):
    """One connection. What has arrived whole goes on its way; the next goes when that was taken."""

    def __init__(self, streams: Streams, transport_name: str) -> None:
        self._streams = streams
        self._options = streams.options
        self._name = transport_name
        self._transport: asyncio.Transport | None = None
        self._source = ""
        self._held = bytearray()
        self._skip = 0
        self._delivery: Delivery | None = None
        self._delivering_bytes = 0
        self._pumping = False
        self._paused = False
        self._aborted = False
        self._reason = "sender"
        self._heard_at = self._partial_since = streams.now

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._source = peer[0].removeprefix("::ffff:") if isinstance(peer, tuple) else ""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self._streams.add(self, self._source):
            self._abort("too_many")

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._streams.now
        if not self._held:
            self._partial_since = self._heard_at
        self._held += data
        self._streams.held_bytes += len(data)
        self._pump()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._streams.services.telemetry.emit(SyslogClosed(self._reason))
        self._pump()

    # What the streams call.

    def check(self) -> None:
        """End what takes too long; the sweep calls this."""
        if self._transport is None or self._delivery is not None:
            return
        now, options = self._streams.now, self._options
        if (self._held or self._skip) and now - self._partial_since > options.frame_timeout_seconds:
            self._abort("slow")
        elif now - self._heard_at > options.idle_timeout_seconds:
            self.close("idle")

    def close(self, reason: str) -> None:
        """Read no more; what was read is delivered still."""
        self._reason = reason
        if self._transport is not None:
            self._transport.close()

    def give_up(self, reason: str) -> None:
        """Count what is not delivered as lost."""
        delivery, self._delivery = self._delivery, None
        if self._held:
            self._lost(reason, max(1, self._held.count(b"\n")))
            self._let_go(len(self._held))
        if delivery is not None:
            delivery.give_up(reason)
        self._streams.remove(self, self._source)

    def _abort(self, reason: str) -> None:
        self._aborted = True
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    # How the bytes go on.

    def _pump(self) -> None:
        """Send whole messages on their way, one parcel at a time."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._delivery is None and self._held and self._step():
                pass
        finally:
            self._pumping = False
        if self._transport is None and self._delivery is None and not self._held:
            self._streams.remove(self, self._source)
        self._hold_back()

    def _step(self) -> bool:
        """Do one thing with what is held; False when more has to come first."""
        if self._skip:
            return self._drop()
        codec, options = self._streams.services.codec, self._options
        complete, self._skip = codec.cut_syslog(self._held, options.frame_bytes_max, options.body_frames_max)
        if self._skip:
            self._lost("too_large", 1)
        if complete:
            self._partial_since = self._streams.now
            self._send(bytes(self._held[:complete]))
            del self._held[:complete]
            return True
        return bool(self._skip) or (self._transport is None and self._end())

    def _drop(self) -> bool:
        """Drop what belongs to a message that is too long."""
        count = min(self._skip, len(self._held)) if self._skip > 0 else self._held.find(b"\n") + 1 or len(self._held)
        ended = self._skip < 0 and self._held[count - 1 : count] == b"\n"
        self._let_go(count)
        self._skip = 0 if ended else self._skip if self._skip < 0 else self._skip - count
        return True

    def _end(self) -> bool:
        """The sender has gone: what is left is its last line, or half of a counted message."""
        if self._aborted or _COUNT.match(self._held):
            self._lost("cut_off", 1)
            self._let_go(len(self._held))
        else:
            self._send(bytes(self._held))
            self._held.clear()
        return True

    def _send(self, body: bytes) -> None:
        self._delivering_bytes = len(body)
        parcel = Parcel(body, self._source, self._name)
        self._delivery = Delivery(self._streams.services, self._options, parcel, self._delivered)
        self._delivery.offer()

    def _delivered(self) -> None:
        self._streams.held_bytes -= self._delivering_bytes
        self._delivering_bytes = 0
        self._delivery = None
        self._pump()

    def _hold_back(self) -> None:
        """Read only while there is room for more."""
        if self._transport is None or self._transport.is_closing():
            return
        crowded = self._streams.held_bytes > self._options.streams_bytes_max
        if self._delivery is None and crowded and self._held:
            self._abort("crowded")
            return
        pause = self._delivery is not None and (crowded or len(self._held) >= self._options.stream_bytes_max)
        if pause != self._paused:
            self._paused = pause
            (self._transport.pause_reading if pause else self._transport.resume_reading)()

    def _let_go(self, count: int) -> None:
        del self._held[:count]
        self._streams.held_bytes -= count

    def _lost(self, reason: str, messages: int) -> None:
        self._streams.services.telemetry.emit(SyslogLost(self._name, reason, messages, self._source))
