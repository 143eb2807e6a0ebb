"""Buffer and store as servers at the other end of a bad line.

A request travels, has its effect at the server, and is answered. The client may lose the request, may lose the answer, may give
up before the effect, or may be dead by then: the effect happens all the same.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

from tests.torture.simulator.world import World, until
from zero.application.ports import Block, Clock, Delivery, Lease, Settlement
from zero.domain.errors import BufferUnavailable, LeaseLost, StoreHalted, StoreRejected, StoreUnavailable, ZeroError
from zero.infrastructure.memory import MemoryBuffer, MemoryBufferOptions, MemoryStore
from zero.infrastructure.memory.codec import ROW
from zero.infrastructure.memory.store import Row

T = TypeVar("T")
LEASE_SECONDS = 4.0
STALL_SECONDS_MAX = 12.0


@dataclass(slots=True)
class Faults:
    """How bad the line and the servers are, as chances of each request.

    ``line``: it is lost, its answer is lost, or the client gives it up. ``stall``: the client freezes just before sending.
    ``partial``: an insert ends in an error, refused or not, after it has stored some of its rows.
    """

    line: float = 0.0
    stall: float = 0.0
    slow_seconds: float = 0.02
    partial: float = 0.0
    halted: float = 0.0
    unfenced_reads: bool = False


@dataclass(slots=True)
class Safety:
    """What protects the rows; switched off one by one to see that the simulator notices."""

    store_fence: bool = True
    buffer_fence: bool = True
    quiesce: bool = True
    spare_newer: bool = True
    atomic_replay: bool = True
    replay_identity: bool = True


def answer(call: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that never waits returns."""
    try:
        call.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("the call waited")


class Line:
    """Requests from clients to one server."""

    def __init__(self, world: World, faults: Faults, unavailable: Callable[[str], ZeroError]) -> None:
        self._world = world
        self.faults = faults
        self._unavailable = unavailable

    async def call(self, effect: Callable[[], T]) -> T:
        """Carry one request there and its answer back."""
        world, faults, random = self._world, self.faults, self._world.random_source.random
        slow = faults.slow_seconds
        if faults.stall and random() < faults.stall:
            await world.stall(random() * STALL_SECONDS_MAX)
        travel = 0.001 + slow * random() ** 4
        outcome: list[T | ZeroError] = []

        def arrive() -> None:
            try:
                outcome.append(effect())
            except ZeroError as error:
                outcome.append(error)

        if faults.line and random() < faults.line:
            if random() < 0.7:
                late = world.now + travel + random() * slow
                world.expect(late)
                world.at(late, arrive)
            await until(world.now + 2 * slow * random() ** 4 + 0.001)
            raise self._unavailable("the line broke")
        world.at(world.now + travel, arrive)
        await until(world.now + travel + 0.001 + slow * random() ** 4)
        result = outcome[0]
        if isinstance(result, ZeroError):
            raise result
        return result


class ServerClock(Clock):
    """The server's own time, which an operator may set on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ahead = 0.0

    def now_ns(self) -> int:
        """Return Unix nanoseconds."""
        return self._world.now_ns()

    def monotonic(self) -> float:
        """Return the time by which leases expire."""
        return self._world.now + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Suspend the caller."""
        await self._world.sleep(seconds)


class SimBuffer:
    """The ShardLog as a remote server."""

    def __init__(self, world: World, faults: Faults, safety: Safety) -> None:
        self._world = world
        self._safety = safety
        self.clock = ServerClock(world)
        self.server = MemoryBuffer(self.clock, options=MemoryBufferOptions(lease_seconds=LEASE_SECONDS))
        self.line = Line(world, faults, BufferUnavailable)

    def acquire(self, shard: int, owner: str) -> Coroutine[Any, Any, Lease | None]:
        """As the port says."""
        return self.line.call(lambda: answer(self.server.acquire(shard, owner)))

    def renew(self, lease: Lease) -> Coroutine[Any, Any, None]:
        """As the port says."""
        return self.line.call(lambda: answer(self.server.renew(lease)))

    def release(self, lease: Lease) -> Coroutine[Any, Any, None]:
        """As the port says."""
        return self.line.call(lambda: answer(self.server.release(lease)))

    def pending(self, lease: Lease, after: str, limit: int) -> Coroutine[Any, Any, Sequence[Delivery]]:
        """As the port says."""
        return self.line.call(lambda: answer(self.server.pending(lease, after, limit)))

    async def read(self, lease: Lease, limit: int, wait_seconds: float) -> Sequence[Delivery]:
        """As the port says; a read that waits does so at the server, which looks every half second."""
        deadline, state = self._world.now + wait_seconds, self.server._shards[0]
        while True:
            found = await self.line.call(lambda: answer(self.server.read(self._reader(lease), limit, 0.0)))
            if found or self._world.now >= deadline:
                return found
            while state.delivered >= state.appended and self._world.now < deadline:
                await until(min(deadline, self._world.now + 0.5))
            if state.delivered >= state.appended:
                return found

    def steal(self) -> None:
        """Give the next entry to a reader of long ago, who is dead."""
        state = self.server._shards[0]
        if fresh := [number for number in state.stream if number > state.delivered][:1]:
            state.delivered = fresh[0]
            state.pending[fresh[0]] = None
        else:
            self._world.after(0.05, self.steal)

    def settle(self, lease: Lease, settlement: Settlement) -> Coroutine[Any, Any, None]:
        """As the port says."""
        return self.line.call(lambda: self._settle(lease, settlement))

    def _settle(self, lease: Lease, settlement: Settlement) -> None:
        answer(self.server.settle(lease if self._safety.buffer_fence else self._current(lease), settlement))
        state, waiting = self.server._shards[0], Counter[str]()
        for append in state.stream.values():
            waiting[append.tenant] += append.count
        for tenant, accepted in state.accepted.items():
            total = state.stored[tenant] + state.dead[tenant] + waiting[tenant]
            assert accepted == total, f"the ledger of {tenant!r} is out of balance: {answer(self.server.ledger())[tenant]}"

    def _reader(self, lease: Lease) -> Lease:
        """Return the lease to read with: some servers hand entries to a reader that is no longer the owner."""
        return self._current(lease) if self.line.faults.unfenced_reads else lease

    def _current(self, lease: Lease) -> Lease:
        state = self.server._shards[lease.shard]
        state.expires = max(state.expires, self.clock.monotonic() + 0.01)
        return Lease(lease.shard, state.owner, state.epoch)


@dataclass(slots=True)
class Insert:
    """An insert that runs in the store, whether or not its client still lives."""

    lease: Lease
    parts: list[list[Row]]
    killed: bool = False
    answer: ZeroError | None = None
    done: bool = field(default=False)


class SimStore:
    """The Store as a remote server whose blocks become visible part by part."""

    def __init__(self, world: World, faults: Faults, safety: Safety, poison: set[tuple[int, int]]) -> None:
        self._world = world
        self._safety = safety
        self.server = MemoryStore(poison)
        self.line = Line(world, faults, StoreUnavailable)
        self.running: list[Insert] = []

    async def fence(self, lease: Lease) -> None:
        """As the port says."""
        if self._safety.store_fence:
            await self.line.call(lambda: answer(self.server.fence(lease)))

    async def quiesce(self, lease: Lease) -> None:
        """As the port says: what runs is stopped, at a part of its own choice."""
        if self._safety.quiesce:
            await self.line.call(lambda: self._stop(lease))

    def present(self, batch_ids: Sequence[int]) -> Coroutine[Any, Any, Mapping[int, Sequence[int]]]:
        """As the port says."""
        return self.line.call(lambda: answer(self.server.present(batch_ids)))

    async def insert(self, block: Block, lease: Lease) -> None:
        """As the port says. The client may give up at any time; the server does not know."""
        world, faults = self._world, self.line.faults
        if world.chance(faults.halted):
            await world.sleep(0.01)
            raise StoreHalted("no such table", store_code=60)
        travel, takes = 0.001 + world.spread(faults.slow_seconds), 0.01 + world.spread(10 * faults.slow_seconds)
        if world.chance(faults.stall):
            await world.stall(world.random() * STALL_SECONDS_MAX)
        job = Insert(lease, [])
        broken = world.chance(faults.line)
        travel += broken * world.random() * faults.slow_seconds
        if not broken or world.chance(0.8):
            world.expect(world.now + travel + takes)
            world.after(travel, lambda: self._begin(job, block, lease, takes))
        if broken:
            await world.sleep(world.spread(2 * (travel + takes)))
            raise StoreUnavailable("the line broke")
        await world.sleep(travel + takes + 0.002)
        if job.answer or not job.done:
            raise job.answer or StoreUnavailable("the insert was killed")

    def _begin(self, job: Insert, block: Block, lease: Lease, takes: float) -> None:
        try:
            rows = self.server.admit(block, lease)
        except LeaseLost as error:
            job.answer = error
            return
        except StoreRejected as error:
            job.answer = error
            self._store_before_refusal(block)
            return
        parts = 1 + int(self._world.random() * 3)
        job.parts = [part for n in range(parts) if (part := [row for row in rows if (row[0] + row[1]) % parts == n])]
        self.running.append(job)
        fails = self._world.chance(self.line.faults.partial)
        for at in range(len(job.parts)):
            self._world.after(takes * (at + 1) / len(job.parts), lambda: self._store_part(job, fails))

    def _store_part(self, job: Insert, fails: bool) -> None:
        """Make one part visible; a failing insert stops before its last one."""
        if job.killed or job.done:
            return
        if fails and len(job.parts) == 1:
            job.answer, job.done = StoreUnavailable("no space left on device"), True
        else:
            self.server.store(job.parts.pop())
            job.done = not job.parts
        if job.done:
            self.running.remove(job)

    def _store_before_refusal(self, block: Block) -> None:
        """A block may be refused at its second part."""
        if self._world.chance(self.line.faults.partial):
            rows: list[Row] = list(ROW.iter_unpack(block.data))
            good = [row for row in rows if row[:2] not in self.server.poison]
            self.server.store(good[: int(self._world.random() * len(good))])

    def _stop(self, lease: Lease) -> None:
        """Kill inserts; one that is told so may answer with a success, as servers do that count rows before they commit."""
        newest = lease.epoch if self._safety.spare_newer else inf
        for job in [job for job in self.running if job.lease.shard == lease.shard and job.lease.epoch < newest]:
            if job.parts and self._world.chance(0.3):
                self.server.store(job.parts.pop())
            job.killed, job.done = True, self._world.chance(0.5)
            self.running.remove(job)
