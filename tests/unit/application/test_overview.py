from zero.application.overview import Overview, TenantBalance
from zero.application.ports import Append, Settlement
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryBufferOptions
from zero.infrastructure.memory.reader import MemoryReader


class CountedReader(MemoryReader):
    """A store whose drain settles three entries between two counts."""

    def __init__(self, counts: list[int]) -> None:
        super().__init__()
        self._counts = counts

    async def rows(self) -> dict[str, int]:
        return {"default": self._counts.pop(0)}


async def ledger_of(*counts: int) -> TenantBalance:
    clock = ManualClock()
    buffer = MemoryBuffer(clock, 1, MemoryBufferOptions())
    (appended,) = await buffer.append([Append(0, b"frame", "default", 3)])
    lease = await buffer.acquire(0, "drain")
    await buffer.read(lease, 1, 0)
    await buffer.settle(lease, Settlement([appended.position], {"default": 3}))
    return (await Overview(buffer, CountedReader(list(counts)), clock).ledger())["default"]


async def test_rows_settled_between_the_count_and_the_ledger_are_not_missing() -> None:
    balance = await ledger_of(0, 3)
    assert (balance.rows_now, balance.missing, balance.balanced) == (3, 0, True)


async def test_rows_that_are_gone_are_missing() -> None:
    assert (await ledger_of(2, 2)).missing == 1


async def test_a_row_too_many_unbalances_the_ledger() -> None:
    assert not (await ledger_of(4)).balanced
