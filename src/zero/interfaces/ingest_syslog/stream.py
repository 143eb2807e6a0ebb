"""Syslog over TCP and TLS. Nothing answers the sender, so nothing is read that could not be kept: TCP holds the sender back."""

import asyncio
import os
import re
import socket
from contextlib import suppress
from typing import cast

from zero.domain.address import peer_host
from zero.interfaces.ingest_syslog.delivery import Delivery, Parcel
from zero.interfaces.ingest_syslog.events import SyslogClosed
from zero.interfaces.ingest_syslog.streams import Streams

_COUNT = re.compile(rb"[1-9][0-9]{0,7}( <[0-9]|$| $| <$)")


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
        self._source = peer_host(transport.get_extra_info("peername"))
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if not self._streams.add(self, self._source):
            self._abort("too_many")

    def data_received(self, data: bytes) -> None:
        if self._aborted:
            return
        self._heard_at = self._streams.now
        if not self._held:
            self._partial_since = self._heard_at
        self._held += data
        self._streams.hold(len(data))
        self._pump()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._streams.services.telemetry.emit(SyslogClosed(self._reason))
        self._pump()

    # What the streams call.

    @property
    def size(self) -> int:
        """Bytes of messages that are not under way yet."""
        return len(self._held)

    @property
    def delivers(self) -> bool:
        """Whether messages of it are under way."""
        return self._delivery is not None

    def check(self) -> None:
        """End what takes too long; the sweep calls this."""
        if self._transport is None or self._delivery is not None or self._paused:
            return
        now, options = self._streams.now, self._options
        if (self._held or self._skip) and now - self._partial_since > options.frame_timeout_seconds:
            self._abort("slow")
        elif now - self._heard_at > options.idle_timeout_seconds:
            self.close("idle")

    def hold_back(self) -> None:
        """Read only while there is room for more."""
        if self._transport is None or self._transport.is_closing():
            return
        full = self._delivery is not None and len(self._held) >= self._options.stream_bytes_max
        if (full or self._streams.crowded) != self._paused:
            self._paused = not self._paused
            self._heard_at = self._partial_since = self._streams.now  # the time we did not read is not the sender's
            (self._transport.pause_reading if self._paused else self._transport.resume_reading)()

    def evict(self, reason: str) -> None:
        """Close, and drop what is held: the beginning of a message."""
        if self._held:
            self._lose("cut_off", 1, len(self._held))
        self._abort(reason)

    def farewell(self) -> None:
        """Say that we send no more, as we never did: senders that look before they send go elsewhere."""
        self._reason = "stop"
        if self._transport is not None:
            with suppress(OSError), socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno())) as sock:
                sock.shutdown(socket.SHUT_WR)  # of the connection, so also below TLS, whose transport cannot

    def close(self, reason: str) -> None:
        """Read no more; what was read is delivered still."""
        self._reason = reason
        if self._transport is not None:
            self._transport.close()

    def give_up(self, reason: str) -> None:
        """Count what is not delivered as lost."""
        delivery, self._delivery = self._delivery, None
        if self._held:
            self._lose(reason, max(1, self._held.count(b"\n")), len(self._held))
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
        self.hold_back()

    def _step(self) -> bool:
        """Do one thing with what is held; False when more has to come first."""
        if self._skip:
            return self._drop()
        codec, options = self._streams.services.codec, self._options
        complete, self._skip = codec.cut_syslog(self._held, options.frame_bytes_max, options.body_frames_max)
        if self._skip:
            self._streams.losses.add(self._name, "too_large", 1, self._source)
        if complete:
            self._partial_since = self._streams.now
            self._send(complete)
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
            self._lose("cut_off", 1, len(self._held))
        else:
            self._send(len(self._held))
        return True

    def _send(self, count: int) -> None:
        with memoryview(self._held) as held:
            body = bytes(held[:count])
        del self._held[:count]
        self._delivering_bytes = count
        parcel = Parcel(body, self._source, self._name)
        self._delivery = Delivery(self._streams.services, self._options, parcel, self._streams.losses, self._delivered)
        self._delivery.offer()

    def _delivered(self) -> None:
        self._streams.let_go(self._delivering_bytes)
        self._delivering_bytes = 0
        self._delivery = None
        self._heard_at = self._partial_since = self._streams.now  # the wait was not the sender's
        self._pump()
        self._streams.relieve()

    def _let_go(self, count: int) -> None:
        del self._held[:count]
        self._streams.let_go(count)

    def _lose(self, reason: str, messages: int, count: int) -> None:
        self._streams.losses.add(self._name, reason, messages, self._source)
        self._let_go(count)
