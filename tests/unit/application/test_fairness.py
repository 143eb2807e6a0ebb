"""One tenant floods, another does not notice: in simulated time, with a buffer that takes as long as a disk."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from zero.application.identity import Identity
from zero.application.ingest import Ingest, future_waiter
from zero.application.ports import Appended, Decoded, Position
from zero.application.submission import Submission
from zero.domain.errors import Overloaded, QuotaExceeded
from zero.infrastructure.memory import MemoryBuffer, MemoryCodec, MemoryTelemetry

FSYNC_SECONDS = 0.002
BYTES_PER_SECOND = 160e6
SECONDS = 2.0


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time and the clock goes on by what was waited for."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now = 0.0
        select = self._selector.select

        def jump(timeout: float | None = None) -> Any:
            self.now += timeout or 0.0
            return select(0)

        self._selector.select = jump

    def time(self) -> float:
        return self.now


class LoopClock:
    def now_ns(self) -> int:
        return int(asyncio.get_running_loop().time() * 1e9) + 1_700_000_000_000_000_000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class DiskBuffer(MemoryBuffer):
    """Takes an fsync and the time of the bytes for each append, and is emptied at once: never full."""

    async def append(self, appends):
        await asyncio.sleep(FSYNC_SECONDS + sum(len(append.frame) for append in appends) / BYTES_PER_SECOND)
        return [Appended(Position(append.shard, "1-1")) for append in appends]


def decode(body: bytes, now_ns: int, source: str) -> Decoded:
    return Decoded(body, max(1, len(body) // 256), 0)


class Crowd:
    """Senders of one tenant, each with one request at a time; about ``pause_seconds`` between a reply and the next."""

    def __init__(self, ingest: Ingest, tenant: str, senders: int, size: int, pause_seconds: float) -> None:
        self.latencies: list[float] = []
        self.refused: list[type[Exception]] = []
        self._ingest = ingest
        self._identity = Identity(tenant, tenant, frozenset())
        self._senders, self._size, self._pause_seconds = senders, size, pause_seconds

    async def send(self, until: float) -> None:
        loop, chance = asyncio.get_running_loop(), random.Random(7)

        async def one(offset: float) -> None:
            await asyncio.sleep(offset)
            while (began := loop.time()) < until:
                waiter, future = future_waiter()
                self._ingest.accept(Submission(b"x" * self._size, decode, "peer", waiter, self._identity))
                try:
                    await future
                    self.latencies.append(loop.time() - began)
                except Overloaded as error:
                    self.refused.append(type(error))
                await asyncio.sleep(chance.expovariate(1 / self._pause_seconds) if self._pause_seconds else 0)

        await asyncio.gather(*(one(number * 0.0007) for number in range(self._senders)))

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


def simulated(scenario: Callable[[Ingest], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        clock = LoopClock()
        ingest = Ingest(MemoryCodec(), DiskBuffer(clock), clock, MemoryTelemetry())
        try:
            return await scenario(ingest)
        finally:
            await ingest.close()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main())


def quiet_beside(*floods: tuple[int, int]) -> tuple[Crowd, list[Crowd]]:
    """Return a quiet crowd, and those that flooded beside it with so many senders of so many bytes."""

    async def scenario(ingest: Ingest) -> tuple[Crowd, list[Crowd]]:
        quiet = Crowd(ingest, "quiet", 8, 300, 0.004)
        others = [Crowd(ingest, f"flood-{at}", senders, size, 0.0) for at, (senders, size) in enumerate(floods)]
        await asyncio.gather(*(crowd.send(SECONDS) for crowd in (quiet, *others)))
        return quiet, others

    return simulated(scenario)


@pytest.mark.parametrize(
    "floods", [[(1500, 32_000)], [(64, 60_000)], [(1000, 300)]], ids=["overfull", "busy", "small requests"]
)
def test_a_flood_at_most_doubles_the_p99_of_a_quiet_tenant_and_only_the_flooder_is_refused(floods):
    alone, _ = quiet_beside()
    beside, others = quiet_beside(*floods)
    assert beside.p99 <= 2 * alone.p99, f"{beside.p99 * 1e3:.1f} ms instead of {alone.p99 * 1e3:.1f} ms"
    assert beside.refused == []
    assert len(beside.latencies) > 0.5 * len(alone.latencies)
    assert all(crowd.latencies for crowd in others), "a flood is still served"


def test_a_flood_that_overfills_its_share_is_told_so():
    quiet, (flood,) = quiet_beside((1500, 32_000))
    assert set(flood.refused) == {QuotaExceeded}
    assert quiet.refused == []


def test_two_floods_leave_the_third_tenant_alone():
    alone, _ = quiet_beside()
    beside, (one, other) = quiet_beside((1000, 32_000), (1000, 32_000))
    assert beside.refused == []
    assert beside.p99 <= 3 * alone.p99
    served = sorted((len(one.latencies), len(other.latencies)))
    assert served[0] > 0.8 * served[1], "floods share what they get"


def test_a_tenant_alone_is_not_slowed_by_turns():
    async def scenario(ingest: Ingest) -> int:
        flood = Crowd(ingest, "only", 400, 60_000, 0.0)
        await flood.send(SECONDS)
        return len(flood.latencies) * 60_000

    assert simulated(scenario) > 0.9 * SECONDS * BYTES_PER_SECOND
