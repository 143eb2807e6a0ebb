"""Syslog over UDP: a datagram is a message. Beyond the bound datagrams are dropped, and counted."""

import asyncio
from collections import Counter
from typing import Any

from zero.interfaces.ingest_syslog.delivery import Delivery, Parcel, SyslogServices
from zero.interfaces.ingest_syslog.events import SyslogLost
from zero.interfaces.ingest_syslog.options import SyslogOptions

_NO_PRIORITY = b"<13>"  # what RFC 3164 says for messages without one
_SOURCES_NAMED_MAX = 100


class Datagrams(asyncio.DatagramProtocol):
    """One socket. The datagrams of one event-loop turn go on their way together, those of each sender in one parcel."""

    def __init__(self, services: SyslogServices, options: SyslogOptions) -> None:
        self._services = services
        self._options = options
        self._gathered: dict[str, list[bytes]] = {}
        self._bytes = 0
        self._dropped: Counter[str] = Counter()
        self._deliveries: set[Delivery] = set()
        self._empty = asyncio.Event()

    def datagram_received(self, data: bytes, address: tuple[str | Any, int]) -> None:
        """Keep the message if there is room."""
        source = str(address[0]).removeprefix("::ffff:")
        if self._bytes + len(data) > self._options.datagrams_bytes_max:
            known = source in self._dropped or len(self._dropped) < _SOURCES_NAMED_MAX
            self._dropped[source if known else "others"] += 1
            return
        if not data.startswith(b"<"):
            data = _NO_PRIORITY + data
        self._bytes += len(data)
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)
        self._gathered.setdefault(source, []).append(data)

    def error_received(self, error: Exception) -> None:
        """Nothing was sent, so no error can be about anything."""

    def report(self) -> None:
        """Say what was dropped since the last time."""
        dropped, self._dropped = self._dropped, Counter()
        for source, count in dropped.items():
            self._services.telemetry.emit(SyslogLost("udp", "full", count, source))

    async def stop(self) -> None:
        """Deliver what was received; give up what is not taken in time."""
        self._flush()
        if self._deliveries:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), self._options.stop_timeout_seconds)
            except TimeoutError:
                for delivery in list(self._deliveries):
                    delivery.give_up("stop")
        self.report()

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, {}
        for source, messages in gathered.items():
            for start in range(0, len(messages), self._options.body_frames_max):
                part = messages[start : start + self._options.body_frames_max]
                self._send(b"".join([b"%d %b" % (len(data), data) for data in part]), source, sum(map(len, part)))

    def _send(self, body: bytes, source: str, size: int) -> None:
        def done() -> None:
            self._bytes -= size
            self._deliveries.discard(delivery)
            if not self._deliveries:
                self._empty.set()

        delivery = Delivery(self._services, self._options, Parcel(body, source, "udp"), done)
        self._deliveries.add(delivery)
        delivery.offer()
