"""Keeps the store readable, and to its days and its size: first the ledger forgets what goes, then it goes.

So a stop between the two leaves rows that nobody counts on, which the next round removes, and never shows a loss that is none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zero.application.ports import Clock, RetentionLedger, RetentionStore, Telemetry
from zero.application.retention_events import EntriesExpired, PartBroken, RetentionFailed, RetentionShort, StoreMeasured
from zero.domain.errors import ZeroError
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND
from zero.domain.ledger import day_of
from zero.domain.retention import Cut, Retention, first_day_within

LOOK_SECONDS, ASK_SECONDS = 60.0, 1.0
SIZE_SHARE = 0.95
"""To how much of the bound the store is brought down, so that it is not at it again with the next block."""


@dataclass(frozen=True, slots=True)
class KeeperParts:
    """What the keeper works on; ``ours`` says whether it is this process that keeps the store."""

    ledger: RetentionLedger
    store: RetentionStore
    clock: Clock
    telemetry: Telemetry
    ours: Callable[[], bool]


class RetentionKeeper:
    """Looks each minute for as long as ``run`` runs, where this process is the one that does."""

    def __init__(self, retention: Retention, parts: KeeperParts) -> None:
        self._retention = retention
        self._parts = parts
        self._aged = 0
        self._broken: Mapping[str, str] = {}

    async def run(self) -> None:
        """Look until cancelled; outages are waited out."""
        while True:
            if self._parts.ours():
                try:
                    await self.look()
                except ZeroError as error:
                    self._parts.telemetry.emit(RetentionFailed(error.message))
                await self._parts.clock.sleep(LOOK_SECONDS)
            else:
                await self._parts.clock.sleep(ASK_SECONDS)

    async def look(self) -> None:
        """Take out what cannot be read, remove what is too old, once a day, and what is too much."""
        await self._set_aside_broken()
        today = day_of(self._parts.clock.now_ns() // NANOSECONDS_PER_MILLISECOND)
        if self._retention.differs and today > self._aged:
            await self._remove("age", self._retention.cut(today))
            self._aged = today
        used, allowed = await self._parts.store.disk_bytes(), self._retention.bytes_max
        self._parts.telemetry.emit(StoreMeasured(used, allowed, len(self._broken)))
        if not allowed or used <= allowed:
            return
        rows = await self._parts.store.rows_by_day()
        days = ((day, count) for (_, day), count in rows.items())
        first = first_day_within(days, allowed * SIZE_SHARE / used, today)
        if first:
            await self._remove("size", self._retention.cut(today).at_least(first))
        else:
            self._parts.telemetry.emit(RetentionShort(used, allowed))

    async def _set_aside_broken(self) -> None:
        """Tell of each part once. A store that does not let us look keeps its days and its size all the same."""
        try:
            found = await self._parts.store.set_aside_broken()
        except ZeroError as error:
            self._parts.telemetry.emit(RetentionFailed(error.message))
            return
        for part in sorted(found.keys() - self._broken.keys()):
            self._parts.telemetry.emit(PartBroken(part, found[part]))
        self._broken = found

    async def _remove(self, reason: str, cut: Cut) -> None:
        await self._parts.ledger.forget(cut)
        if entries := await self._parts.store.remove(cut):
            self._parts.telemetry.emit(EntriesExpired(reason, entries, cut.everyone))
