"""Ledger and level of the buffer as metrics: the equation that holds at every quiet moment, and what waits, for alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event
from zero.application.ports import Buffer, Clock, Telemetry
from zero.domain.errors import ZeroError


@dataclass(frozen=True, slots=True)
class LedgerRead(Event):
    """The ledger of all tenants together; accepted = stored + dead_lettered + in_buffer when nothing is on its way."""

    name: ClassVar[str] = "ledger"
    gauges: ClassVar[tuple[str, ...]] = ("accepted", "stored", "dead_lettered", "dropped", "in_buffer", "dead_letters")
    counted: ClassVar[bool] = False
    about: ClassVar[Mapping[str, str]] = {
        "accepted": "Entries of all tenants that were ever acknowledged",
        "stored": "Entries of all tenants that were ever stored",
        "dead_lettered": "Entries of all tenants that ever became dead letters",
        "dropped": "Dead-lettered entries that were deleted since",
        "in_buffer": "Entries of all tenants that wait in the buffer for the drain",
        "dead_letters": "Dead-lettered entries that still lie there",
    }

    accepted: int
    stored: int
    dead_lettered: int
    dropped: int
    in_buffer: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class BufferMeasured(Event):
    """How full the buffer is; near its limit, ingest answers 429."""

    name: ClassVar[str] = "buffer"
    gauges: ClassVar[tuple[str, ...]] = ("used_bytes", "limit_bytes", "frames")
    counted: ClassVar[bool] = False
    about: ClassVar[Mapping[str, str]] = {
        "used_bytes": "Memory that the buffer uses",
        "limit_bytes": "Memory that the buffer may use",
        "frames": "Frames that wait in the buffer for the drain",
    }

    used_bytes: int
    limit_bytes: int
    frames: int


async def watch_ledger(buffer: Buffer, clock: Clock, telemetry: Telemetry, every_seconds: float = 5.0) -> None:
    """Report the ledger and how full the buffer is; while the buffer does not answer, the last figures stay."""
    while True:
        try:
            rows, level = (await buffer.ledger()).values(), await buffer.level()
        except ZeroError:
            pass
        else:
            dead, dropped = sum(row.dead_lettered for row in rows), sum(row.dropped for row in rows)
            accepted, stored = sum(row.accepted for row in rows), sum(row.stored for row in rows)
            waiting = sum(row.in_buffer for row in rows)
            telemetry.emit(LedgerRead(accepted, stored, dead, dropped, waiting, dead - dropped))
            telemetry.emit(BufferMeasured(level.used_bytes, level.limit_bytes, level.frames))
        await clock.sleep(every_seconds)
