import asyncio

from zero.application.background import end
from zero.application.ledger_gauge import LedgerRead, watch_ledger
from zero.application.overview import Overview, TenantBalance
from zero.application.ports import Append, DeadLetter, Settlement
from zero.domain.retention import Cut, Retention
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryBufferOptions, MemoryTelemetry
from zero.infrastructure.memory.reader import MemoryReader
from zero.infrastructure.system.clock import SystemClock

TODAY = 20_000
DAY_NS = 86_400 * 10**9


class CountedReader(MemoryReader):
    """A store with one count of rows, and another, by day of receipt, when it is asked again."""

    def __init__(self, rows: int, by_day: dict[int, int]) -> None:
        super().__init__()
        self._rows = rows
        self._by_day = by_day
        self.asked_by_day = 0

    async def rows(self) -> dict[str, int]:
        return {"default": self._rows}

    async def rows_by_day(self) -> dict[tuple[str, int], int]:
        self.asked_by_day += 1
        return {("default", day): count for day, count in self._by_day.items()}


async def ledger_of(rows: int, rows_by_day: dict[int, int], stored_by_day: dict[int, int], stored: int = 3) -> TenantBalance:
    clock = ManualClock(TODAY * DAY_NS + DAY_NS // 2)
    buffer = MemoryBuffer(clock, 1, MemoryBufferOptions())
    (appended,) = await buffer.append([Append(0, b"frame", "default", stored)])
    lease = await buffer.acquire(0, "drain")
    await buffer.read(lease, 1, 0)
    by_day = {("default", day): count for day, count in stored_by_day.items()}
    await buffer.settle(lease, Settlement([appended.position], {"default": stored}, (), by_day))
    overview = Overview(buffer, CountedReader(rows, rows_by_day), clock, Retention(30))
    return (await overview.ledger())["default"]


async def test_rows_settled_between_the_count_and_the_ledger_are_not_missing() -> None:
    balance = await ledger_of(0, {TODAY: 3}, {TODAY: 3})
    assert (balance.rows_now, balance.expired, balance.missing, balance.balanced) == (3, 0, 0, True)


async def test_rows_that_are_gone_before_their_time_are_missing() -> None:
    balance = await ledger_of(2, {TODAY: 2}, {TODAY: 3})
    assert (balance.rows_now, balance.expired, balance.missing) == (2, 0, 1)


async def test_rows_that_retention_has_removed_are_expired_and_hide_no_loss() -> None:
    stored = {TODAY - 31: 10, TODAY - 30: 10, TODAY - 29: 10, TODAY: 10}
    balance = await ledger_of(18, {TODAY - 29: 9, TODAY: 9}, stored, stored=50)  # ten are of days already forgotten
    assert (balance.rows_now, balance.expired, balance.missing) == (18, 30, 2)


async def settled_buffer(stored_by_day: dict[int, int]) -> MemoryBuffer:
    buffer = MemoryBuffer(ManualClock(TODAY * DAY_NS), 1, MemoryBufferOptions())
    (appended,) = await buffer.append([Append(0, b"frame", "default", sum(stored_by_day.values()))])
    lease = await buffer.acquire(0, "drain")
    await buffer.read(lease, 1, 0)
    by_day = {("default", day): count for day, count in stored_by_day.items()}
    await buffer.settle(lease, Settlement([appended.position], {"default": sum(stored_by_day.values())}, (), by_day))
    return buffer


async def test_after_retention_has_removed_rows_the_store_is_counted_once() -> None:
    buffer, reader = await settled_buffer({TODAY - 40: 10, TODAY - 3: 5, TODAY: 2}), CountedReader(2, {})
    await buffer.forget(Cut(TODAY - 2))
    balance = (await Overview(buffer, reader, ManualClock(TODAY * DAY_NS), Retention(30)).ledger())["default"]
    assert (balance.rows_now, balance.expired, balance.missing, balance.balanced) == (2, 15, 0, True)
    assert reader.asked_by_day == 0


async def test_what_retention_removes_between_ledger_and_count_is_not_missing() -> None:
    buffer = await settled_buffer({TODAY - 3: 5, TODAY: 2})

    class Removing(CountedReader):
        async def rows_by_day(self) -> dict[tuple[str, int], int]:
            await buffer.forget(Cut(TODAY - 2))
            return await super().rows_by_day()

    overview = Overview(buffer, Removing(6, {TODAY: 1}), ManualClock(TODAY * DAY_NS), Retention(30))
    balance = (await overview.ledger())["default"]
    assert (balance.rows_now, balance.expired, balance.missing) == (1, 5, 1)


async def test_each_tenant_has_its_own_days() -> None:
    buffer = await settled_buffer({TODAY - 8: 5, TODAY: 2})
    for tenants, missing in (({"default": 7}, 0), ({"other": 7}, 5)):
        overview = Overview(buffer, CountedReader(2, {TODAY: 2}), ManualClock(TODAY * DAY_NS), Retention(30, tenants))
        assert (await overview.ledger())["default"].missing == missing


async def test_a_row_too_many_unbalances_the_ledger() -> None:
    assert not (await ledger_of(4, {}, {TODAY: 3})).balanced


async def test_the_ledger_is_a_metric_and_says_how_many_letters_lie_there() -> None:
    telemetry, clock = MemoryTelemetry(), ManualClock()
    buffer = MemoryBuffer(clock)
    await buffer.append([Append(0, b"frame", "a", 5)])
    lease = await buffer.acquire(0, "me")
    assert lease is not None
    (read,) = await buffer.read(lease, 1, 0)
    letters = [DeadLetter(read.position, "refused", "a", 1, b"", index) for index in range(2)]
    await buffer.settle(lease, Settlement([read.position], {"a": 3}, letters))
    await buffer.drop("1")
    watching = asyncio.create_task(watch_ledger(buffer, SystemClock(), telemetry))
    await asyncio.sleep(0)
    await end(watching)
    assert telemetry.of(LedgerRead)[0] == LedgerRead(5, 3, 2, 1, 0, 1)
