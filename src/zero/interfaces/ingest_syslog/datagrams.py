"""Syslog over UDP: a datagram is a message. Beyond the bound datagrams are dropped, and counted."""

import asyncio
import re
import socket
import struct
from contextlib import suppress
from typing import Any

from zero.domain.address import peer_host
from zero.interfaces.ingest_syslog.delivery import Delivery, Parcel, SyslogServices
from zero.interfaces.ingest_syslog.losses import Losses
from zero.interfaces.ingest_syslog.options import SyslogOptions

_PRIORITY = re.compile(rb"<[0-9]")
_NO_PRIORITY = b"<13>"  # what RFC 3164 says for messages without one
_MESSAGE_OVERHEAD_BYTES = 96
_SOURCE_OVERHEAD_BYTES = 1_024
_DATAGRAM_BYTES_MAX = 65_535
_SO_MEMINFO, _MEMINFO, _DROPS = 55, struct.Struct("9I"), 8  # Linux: asm/socket.h, linux/sock_diag.h


class Datagrams(asyncio.DatagramProtocol):
    """One socket. What arrives while parcels are under way joins the next ones, those of each sender in one."""

    def __init__(self, services: SyslogServices, options: SyslogOptions, losses: Losses, sock: socket.socket) -> None:
        self._services = services
        self._options = options
        self._losses = losses
        self._sock = sock
        self._gathered: dict[str, list[bytes]] = {}
        self._bytes = 0
        self._scheduled = False
        self._kernel_drops = 0
        self._deliveries: set[Delivery] = set()
        self._empty = asyncio.Event()

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        """Keep the message if there is room."""
        source = peer_host(address)
        messages = self._gathered.get(source)
        if not _PRIORITY.match(data):
            data = _NO_PRIORITY + data
        size = len(data) + _MESSAGE_OVERHEAD_BYTES + (0 if messages else _SOURCE_OVERHEAD_BYTES)
        if self._bytes + size > self._options.datagrams_bytes_max:
            self._losses.add("udp", "full", 1, source)
            return
        self._bytes += size
        if messages:
            messages.append(data)
        else:
            self._gathered[source] = [data]
        self._schedule()

    def error_received(self, error: Exception) -> None:
        """Nothing was sent, so no error can be about anything."""

    def report(self) -> None:
        """Count what the kernel dropped since the last time, because this process did not read in time."""
        with suppress(OSError, struct.error):  # no Linux
            drops = _MEMINFO.unpack(self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[_DROPS]
            if dropped := (drops - self._kernel_drops) % 2**32:
                self._losses.add("udp", "kernel", dropped, "")
                self._kernel_drops = drops

    def read_the_rest(self) -> None:
        """Read what the kernel has received already; the caller closes the socket behind it."""
        received = 0
        while received < self._options.datagrams_bytes_max:
            try:
                data, address = self._sock.recvfrom(_DATAGRAM_BYTES_MAX)
            except OSError:
                break
            received += len(data) + _MESSAGE_OVERHEAD_BYTES
            self.datagram_received(data, address)
        self.report()

    async def stop(self) -> None:
        """Deliver what was received; give up what is not taken in time."""
        if self._gathered or self._deliveries:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), self._options.stop_timeout_seconds)
        gathered, self._gathered = self._gathered, {}
        for source, messages in gathered.items():
            self._losses.add("udp", "stop", len(messages), source)
        for delivery in list(self._deliveries):
            delivery.give_up("stop")

    def _schedule(self) -> None:
        if not self._scheduled and len(self._deliveries) < self._options.datagram_parcels_max:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        most = self._options.body_frames_max
        while self._gathered and len(self._deliveries) < self._options.datagram_parcels_max:
            source = next(iter(self._gathered))  # who has waited longest; what is left of many waits behind the others
            messages = self._gathered.pop(source)
            if len(messages) > most:
                self._gathered[source] = messages[most:]
                self._bytes += _SOURCE_OVERHEAD_BYTES
            self._send(messages[:most], source)

    def _send(self, messages: list[bytes], source: str) -> None:
        size = sum(map(len, messages)) + len(messages) * _MESSAGE_OVERHEAD_BYTES + _SOURCE_OVERHEAD_BYTES

        def done() -> None:
            self._bytes -= size
            self._deliveries.discard(delivery)
            if self._gathered:
                self._schedule()
            elif not self._deliveries:
                self._empty.set()

        body = b"".join([b"%d %b" % (len(data), data) for data in messages])
        delivery = Delivery(self._services, self._options, Parcel(body, source, "udp"), self._losses, done)
        self._deliveries.add(delivery)
        delivery.offer()
