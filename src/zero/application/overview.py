"""How the platform is doing: the ledger against the store, readiness to answer, and what is stored."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from zero.application.ports import Buffer, BufferLevel, Clock, LogReader, StoreFigures
from zero.application.readiness import Readiness
from zero.domain.errors import ZeroError
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.domain.ledger import TenantLedger, day_of
from zero.domain.retention import Retention


@dataclass(frozen=True, slots=True)
class TenantBalance:
    """The ledger of a tenant beside the ``rows`` its store held before the ledger was read, and holds now (``rows_now``).

    ``missing`` rows were stored within the retention time and are no longer there: lost.
    """

    ledger: TenantLedger
    rows: int
    rows_now: int
    missing: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every accepted entry is accounted for and no row is there twice.

        ``rows`` may exceed ``stored`` by rows that are inserted and not yet settled, which still count as in the buffer; it
        falls behind ``stored`` when the retention time removes rows.
        """
        ledger = self.ledger
        settled = ledger.stored + ledger.dead_lettered + ledger.in_buffer
        return ledger.accepted == settled and self.rows <= ledger.stored + ledger.in_buffer

    @property
    def expired(self) -> int:
        """Rows that were stored and that retention has removed."""
        return max(0, self.ledger.stored - self.rows_now - self.missing)


@dataclass(frozen=True, slots=True)
class ApiReadiness:
    """Ready to answer when there are no ``reasons`` against it."""

    durability: str
    detail: str
    reasons: tuple[str, ...]


class Overview:
    """Looks at buffer and store together."""

    def __init__(
        self,
        buffer: Buffer,
        reader: LogReader,
        clock: Clock,
        retention: Retention | None = None,
        timeout_seconds: float = 2.0,
    ) -> None:
        self._buffer = buffer
        self._reader = reader
        self._clock = clock
        self._readiness = Readiness(buffer, timeout_seconds=timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._retention = retention or Retention()

    async def ledger(self) -> Mapping[str, TenantBalance]:
        """Return the balance of every tenant.

        The rows are counted before the ledger is read, so that what is settled meanwhile cannot look doubled. Only where fewer
        are there than the days say that retention has not reached, they are counted day by day, behind the ledger, so that
        what is settled meanwhile cannot look lost; and the ledger once more, so that what retention removes cannot either.
        """
        rows = await self._reader.rows()
        ledgers = await self._buffer.ledger()
        days = {tenant: self._kept_days(tenant, ledger) for tenant, ledger in ledgers.items()}
        if all(sum(kept.values()) <= rows.get(tenant, 0) for tenant, kept in days.items()):
            return {
                tenant: TenantBalance(ledgers.get(tenant, TenantLedger()), rows.get(tenant, 0), rows.get(tenant, 0))
                for tenant in sorted(rows.keys() | ledgers.keys())
            }
        now, later = await self._reader.rows_by_day(), await self._buffer.ledger()
        found = {}
        for tenant in sorted({tenant for tenant, _ in now} | ledgers.keys()):
            of_tenant, still = _days_of(tenant, now), later.get(tenant, TenantLedger()).stored_by_day
            kept = {day: count for day, count in days.get(tenant, {}).items() if day in still}
            missing = sum(max(0, count - of_tenant.get(day, 0)) for day, count in kept.items())
            ledger = ledgers.get(tenant, TenantLedger())
            found[tenant] = TenantBalance(ledger, rows.get(tenant, 0), sum(of_tenant.values()), missing)
        return found

    def _kept_days(self, tenant: str, ledger: TenantLedger) -> dict[int, int]:
        """Return what was stored of the days of receipt that retention has not reached: all of it must be there."""
        today = day_of(self._clock.now_ns() // NANOSECONDS_PER_MILLISECOND)
        first = today - self._retention.days_of(tenant) + 1
        return {day: count for day, count in ledger.stored_by_day.items() if day >= first}

    async def figures(self, tenant: str) -> tuple[StoreFigures, BufferLevel]:
        """Return what the store holds of the tenant, and how full the buffer is."""
        return await self._reader.figures(tenant, self._clock.now_ns()), await self._buffer.level()

    async def ready(self) -> ApiReadiness:
        """Look at buffer and store at once; never raises because of them."""
        report, store = await asyncio.gather(self._readiness.check(), self._store_reason())
        return ApiReadiness(report.durability, report.detail, (*report.reasons, *store))

    async def is_ready(self) -> bool:
        """Say whether buffer and store answer."""
        return not (await self.ready()).reasons

    async def _store_reason(self) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._reader.ping()
        except TimeoutError:
            return (f"the store does not answer within {self._timeout_seconds:g} s",)
        except ZeroError as error:
            return (error.message,)
        return ()


def _days_of(tenant: str, rows: Mapping[tuple[str, int], int]) -> dict[int, int]:
    return {day: count for (of, day), count in rows.items() if of == tenant}
