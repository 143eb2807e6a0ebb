"""The ledger as metrics: the equation that holds at every quiet moment, for alerts."""

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
    help: ClassVar[str] = "Entries of all tenants; dead_letters are those dead-lettered that still lie there"

    accepted: int
    stored: int
    dead_lettered: int
    dropped: int
    in_buffer: int
    dead_letters: int


async def watch_ledger(buffer: Buffer, clock: Clock, telemetry: Telemetry, every_seconds: float = 5.0) -> None:
    """Report the ledger again and again; what a buffer that is away was last keeps standing."""
    while True:
        try:
            rows = (await buffer.ledger()).values()
        except ZeroError:
            pass
        else:
            dead, dropped = sum(row.dead_lettered for row in rows), sum(row.dropped for row in rows)
            accepted, stored = sum(row.accepted for row in rows), sum(row.stored for row in rows)
            waiting = sum(row.in_buffer for row in rows)
            telemetry.emit(LedgerRead(accepted, stored, dead, dropped, waiting, dead - dropped))
        await clock.sleep(every_seconds)
