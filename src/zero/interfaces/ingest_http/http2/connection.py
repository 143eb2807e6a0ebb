"""One HTTP/2 connection: what the event loop, the sweep and the stop want of it."""

import asyncio
from typing import cast

from zero.domain.address import peer_host
from zero.interfaces.ingest_http.connections import Connections
from zero.interfaces.ingest_http.events import ConnectionClosed, Http2Abused
from zero.interfaces.ingest_http.http2 import frames
from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode
from zero.interfaces.ingest_http.http2.outbox import Outbox
from zero.interfaces.ingest_http.http2.session import Session


class Http2Connection(asyncio.Protocol):
    """Callbacks of the event loop: no task, no timer of its own. Made once the first bytes, or ALPN, have said HTTP/2."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._options = connections.options
        self._transport: asyncio.Transport | None = None
        self._outbox = Outbox(connections.replies_budget, self._written)
        self._session: Session | None = None
        self._preface = frames.PREFACE
        self._heard_at = 0.0
        self._stuck_since = 0.0
        self._ends_at = 0.0
        self._resting = False
        self._reason = "client"
        self.source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._outbox.transport = transport = cast("asyncio.Transport", transport)
        self._heard_at = self._connections.now
        transport.set_write_buffer_limits(self._options.write_bytes_max)
        self.source = peer_host(transport.get_extra_info("peername"))
        refused = self._connections.add(self, self.source)
        self._session = Session(self._connections, self.source, self._outbox)
        self._session.open()
        if refused and self._connections.crowded:
            self.abort("too_many")
        elif refused:
            self._reason = "too_many"
            self._fail(ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, refused))

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._connections.now
        if self._ends_at or self._session is None:
            return
        try:
            if self._preface:
                data = self._past_preface(data)
            if self._session.feed(data):
                self._rest()
        except ConnectionFault as fault:
            self._fail(fault)

    def eof_received(self) -> bool:
        """Answer what came before the peer closed its side."""
        if self._session is None or self._session.idle or self._ends_at:
            return False
        self._session.streams.leave()
        return self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = self._outbox.transport = None
        if self._session is not None:
            self._session.close()
        self._connections.remove(self, self.source)
        self._connections.telemetry.emit(ConnectionClosed(self._reason))

    def pause_writing(self) -> None:
        self._stuck_since = self._connections.now
        self._outbox.paused = True
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._stuck_since = 0.0
        self._outbox.paused = False
        self._read_on()
        self._outbox.pump()

    def check(self, now: float) -> None:
        """Close what is too slow; the sweep calls this about once a second."""
        session = self._session
        if session is None:
            return
        session.heal()
        if self._ends_at:
            if now >= self._ends_at:
                self.abort(self._reason)
        elif self._stuck_since:
            if now - self._stuck_since > self._options.write_timeout_seconds:
                self.abort("slow_reader")
        elif self._outbox.is_stalled(now, self._options.write_timeout_seconds, self._options.body_rate_min_bytes_per_second):
            self._reason = "slow_reader"
            self._fail(ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "replies wait for a window", abuse="zero_window"))
        elif (since := session.waits_since()) and now - since > self._options.head_timeout_seconds:
            self._reason = "slow_head"
            self._fail(ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a frame or a head without end"))
        elif session.idle and now - self._heard_at > self._options.idle_timeout_seconds:
            self._reason = "idle"
            session.streams.leave()
        else:
            session.streams.time_out_bodies(now)

    def stop(self) -> None:
        """Take no new streams; close when those in flight are answered."""
        if self._session is not None and not self._ends_at:
            if self._session.idle:
                self._reason = "stop"
            self._session.streams.leave()

    def abort(self, reason: str) -> None:
        """Close without any further word."""
        self._reason = reason
        if self._transport:
            self._transport.abort()

    def _past_preface(self, data: bytes) -> bytes:
        size = min(len(self._preface), len(data))
        if data[:size] != self._preface[:size]:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not the preface of HTTP/2")
        self._preface = self._preface[size:]
        return data[size:]

    def _rest(self) -> None:
        """Let the other connections have their turn before reading what is there already."""
        if not self._resting and self._transport and not self._transport.is_closing():
            self._resting = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        self.data_received(b"")
        self._read_on()

    def _read_on(self) -> None:
        if not self._resting and not self._stuck_since and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    def _written(self) -> None:
        """Close behind the last reply."""
        if self._session and self._session.streams.leaving and self._session.idle and self._transport and not self._ends_at:
            if self._reason == "client":
                self._reason = "done"
            self._finish()

    def _fail(self, fault: ConnectionFault) -> None:
        """Say why, and close."""
        if fault.abuse:
            self._connections.telemetry.emit(Http2Abused(fault.abuse))
        if self._reason == "client":
            self._reason = "abuse" if fault.abuse else "bad_request"
        if self._session is None or self._ends_at:
            return
        self._session.close()
        self._outbox.put(frames.goaway(self._session.streams.last_id, fault.code, fault.message))
        self._finish()
        self._outbox.flush()

    def _finish(self) -> None:
        """Close in a way that lets the peer read our last word although it may still be sending."""
        self._ends_at = self._connections.now + self._options.linger_seconds
        self._outbox.flush()
        transport = self._transport
        if transport is None:
            return
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        transport.resume_reading()
