"""One seed: processes that drain a shard, producers, a nemesis, and the judge."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from tests.torture.simulator.operator import Name, SimDeadLetters, name_of, operate
from tests.torture.simulator.servers import Faults, Safety, SimBuffer, SimStore, answer
from tests.torture.simulator.world import Task, World
from zero.application.drain import DrainOptions, DrainParts, DrainState, ShardDrain
from zero.application.events import Event
from zero.application.ports import Append, DeadLetter
from zero.domain.frame import pack_frame, unpack_frame
from zero.domain.log_batch import join_entries, split_entries
from zero.infrastructure.memory import MemoryCodec, entry_hash

FAULT_SECONDS = 15.0
HEAL_SECONDS = 120.0
TENANTS = ("default", "blue", "grün")
MakeDrain = Callable[[str, DrainParts, DrainOptions], ShardDrain]


@dataclass(slots=True)
class Truth:
    """What was put into the buffer, and what must become of it. ``refused`` rows were ``poison`` once; some are cured."""

    rows: dict[tuple[int, int], bytes] = field(default_factory=dict)
    poison: set[tuple[int, int]] = field(default_factory=set)
    refused: set[tuple[int, int]] = field(default_factory=set)
    corrupt: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed showed. ``problems`` is empty when every promise was kept."""

    seed: int
    problems: tuple[str, ...]
    rows: int
    steps: int
    events: tuple[tuple[str, int], ...]


class Count:
    """Telemetry that counts names."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()

    def emit(self, event: Event) -> None:
        """Count the event."""
        self.names[event.name] += 1


class Process:
    """A drain process that can be killed, frozen and started again under its name."""

    def __init__(self, world: World, owner: str, start: Callable[[str], ShardDrain]) -> None:
        self._world = world
        self._owner = owner
        self._start = start
        self.tasks: list[Task] = []
        self.start()

    def start(self) -> None:
        """Start it unless it runs."""
        if not any(task.alive for task in self.tasks):
            self.drain = self._start(self._owner)
            self.tasks = [self._world.spawn(self.drain.run()), self._world.spawn(self._beat())]
            for task in self.tasks:
                task.process = self.tasks

    def kill(self, down_seconds: float) -> None:
        """Kill it; its supervisor starts it again a while later."""
        for task in self.tasks:
            task.kill()
        self._world.expect(self._world.now + down_seconds)
        self._world.after(down_seconds, self.start)

    def freeze(self, seconds: float) -> None:
        """Stop it for a while without telling it."""
        self.tasks[0].freeze(seconds)

    async def _beat(self) -> None:
        while self.drain.state is not DrainState.STOPPED:
            await self._world.sleep(1.0)
            await self.drain.heartbeat()


class Scenario:
    """Everything of one seed."""

    def __init__(self, seed: int, safety: Safety | None = None, make: MakeDrain | None = None) -> None:
        self.seed = seed
        self.world = World(seed)
        self.truth = Truth()
        self.codec = MemoryCodec()
        self.telemetry = Count()
        self.operators: list[Task] = []
        self._make: MakeDrain = make or (lambda owner, parts, options: ShardDrain(0, owner, parts, options))
        chaos, safety = self.world.random_source, safety or Safety()
        bad = chaos.choice((0.0, 0.02, 0.06, 0.2))
        slow = chaos.choice((0.02, 0.2, 3.0))
        stall = chaos.choice((0.0, 0.0, 0.04))
        self.log = SimBuffer(self.world, Faults(bad, stall, slow, unfenced_reads=chaos.random() < 0.3), safety)
        store_faults = Faults(bad, stall, slow, partial=chaos.choice((0.0, 0.3)), halted=chaos.choice((0.0, 0.05)))
        self.store = SimStore(self.world, store_faults, safety, self.truth.poison)
        self.letters = SimDeadLetters(self.log.server, self.log.line, safety)
        self.options = DrainOptions(
            block_rows_max=chaos.choice((5, 20, 60)),
            block_frames_max=chaos.choice((3, 50)),
            block_bytes_max=chaos.choice((200, 100_000)),
            read_frames_max=chaos.choice((1, 4, 64)),
            renew_seconds=1.0,
            sweep_seconds=3.0,
        )

    def run(self) -> Verdict:
        """Load under faults, heal, settle, stop, judge."""
        problems: list[str] = []
        try:
            processes = self._begin()
            self.world.run(FAULT_SECONDS)
            problems += self._heal(processes) or self._stop(processes)
        except AssertionError as error:
            problems.append(str(error))
        problems += self._judge()
        names = tuple(sorted(self.telemetry.names.items()))
        return Verdict(self.seed, tuple(problems), len(self.truth.rows), self.world.steps, names)

    def _begin(self) -> list[Process]:
        chaos = self.world.random_source
        processes = [Process(self.world, f"drain-{n}", self._drain) for n in range(chaos.choice((1, 1, 2, 3)))]
        for number in range(chaos.randrange(5, 40)):
            self.world.at(chaos.random() * FAULT_SECONDS, lambda number=number: self._append(number + 1))
        for _ in range(chaos.choice((0, 1, 3, 6))):
            victim = chaos.choice(processes)
            down = chaos.choice((0.0, 0.2, 3.0)) * chaos.random()
            self.world.at(chaos.random() * FAULT_SECONDS, lambda victim=victim, down=down: victim.kill(down))
        for _ in range(chaos.choice((0, 1, 3))):
            victim = chaos.choice(processes)
            seconds = chaos.random() * 10
            self.world.at(chaos.random() * FAULT_SECONDS, lambda victim=victim, seconds=seconds: victim.freeze(seconds))
        for _ in range(chaos.choice((0, 0, 2))):
            self.world.at(chaos.random() * FAULT_SECONDS, self._clock_jump)
        if self.log.line.faults.unfenced_reads:
            self.world.at(chaos.random() * FAULT_SECONDS, self.log.steal)
        for _ in range(chaos.choice((0, 1, 2))):
            operating = operate(self.world, self.letters, self.codec, self.telemetry, FAULT_SECONDS)
            self.operators.append(self.world.spawn(operating))
        for _ in range(chaos.choice((0, 1, 1))):
            self.world.at(chaos.random() * FAULT_SECONDS, self.truth.poison.clear)  # the store is mended
        return processes

    def _drain(self, owner: str) -> ShardDrain:
        parts = DrainParts(self.log, self.store, self.codec, self.world, self.world, self.telemetry, self.world.beside)
        return self._make(owner, parts, self.options)

    def _clock_jump(self) -> None:
        self.log.clock.ahead += self.world.random() * 10

    def _append(self, bid: int) -> None:
        """Put one frame in the buffer: mostly good, some with rows that the store refuses, some damaged."""
        chaos = self.world.random_source
        count = chaos.choice((1, 1, 2, 5, 12))
        tenant = chaos.choice(TENANTS)
        kind = chaos.random()
        data, digests = _frame(bid, count, tenant, kind < 0.03)
        if 0.03 <= kind < 0.06:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if kind < 0.06:
            self.truth.corrupt[data] += 1
        else:
            for index, digest in enumerate(digests):
                self.truth.rows[bid, index] = digest
                if kind < 0.12 and chaos.random() < 0.5:
                    self.truth.poison.add((bid, index))
                    self.truth.refused.add((bid, index))
        answer(self.log.server.append([Append(0, data, tenant, count)]))

    def _heal(self, processes: list[Process]) -> list[str]:
        """End the faults, start what is down, and wait until nothing is on its way and the buffer is empty."""
        for line in (self.log.line, self.store.line):
            line.faults.line = line.faults.stall = line.faults.partial = line.faults.halted = 0.0
            line.faults.slow_seconds = 0.02
        for process in processes:
            process.start()
        while self.world.now < FAULT_SECONDS + HEAL_SECONDS:
            self.world.run(self.world.now + 1.0)
            stirred = self.world.now < self.world.stirred_until + 1.0 or any(task.alive for task in self.operators)
            if not stirred and not answer(self.log.server.level()).frames:
                return []
        return [
            "stuck: the buffer is not empty: " + ", ".join(f"{p.drain.state.value} {p.drain.last_error}" for p in processes)
        ]

    def _stop(self, processes: list[Process]) -> list[str]:
        for process in processes:
            process.drain.stop(5.0)
        self.world.run(self.world.now + 45.0)  # a slow insert of before takes up to 33 s
        problems = [f"{task.error!r}" for process in processes for task in process.tasks if task.error]
        if any(task.alive for process in processes for task in process.tasks):
            problems.append("a drain did not stop")
        if answer(self.log.server.acquire(0, "a stranger")) is None:
            problems.append("a stopped drain kept the lease")
        return problems

    def _judge(self) -> list[str]:
        """Compare what is stored, dead-lettered and dropped with what was accepted: each row is in one of them, once."""
        truth, problems = self.truth, []
        found = Counter[Name]()
        for bid, rows in self.store.server.rows.items():
            for index, digest in rows:
                found[bid, index] += 1
                if truth.rows.get((bid, index)) != digest or (bid, index) in truth.poison:
                    problems.append(f"phantom or changed: {(bid, index)}")
        aside = self.letters.dropped.copy()
        for _, letter in answer(self.log.server.dead_letters("", 100_000)):
            aside[name_of(letter)] += 1
            problems += self._changed(letter)
        problems += [
            f"refused without a reason: {one!r}" for one in aside if one not in truth.refused and one not in truth.corrupt
        ]
        wanted = Counter[Name](truth.rows.keys()) + Counter[Name](truth.corrupt)
        problems += [f"lost: {one!r}" for one in wanted - (found + aside)]
        problems += [f"stored or kept {(found + aside)[one]} times: {one!r}" for one in (found + aside) - wanted]
        return problems + self._unbalanced()

    def _changed(self, letter: DeadLetter) -> list[str]:
        """Look at the content of a letter that is about one row."""
        if letter.index is None:
            return []
        frame = unpack_frame(letter.frame, self.codec.crc32c)
        if [entry_hash(e) for e in split_entries(frame.payload)] == [self.truth.rows.get((frame.batch_id, letter.index))]:
            return []
        return [f"dead letter with other content: {frame.batch_id}, {letter.index}"]

    def _unbalanced(self) -> list[str]:
        ledger = answer(self.log.server.ledger())
        problems = [f"in buffer: {row.in_buffer} of {tenant}" for tenant, row in ledger.items() if row.in_buffer]
        dropped = sum(row.dropped for row in ledger.values())
        kept = sum(letter.count for _, letter in answer(self.log.server.dead_letters("", 100_000)))
        if dropped != self.letters.entries_dropped or kept + dropped != sum(row.dead_lettered for row in ledger.values()):
            problems.append(f"the ledger has {dropped} dropped; {self.letters.entries_dropped} were, {kept} are kept: {ledger}")
        return problems


@lru_cache(maxsize=4096)
def _frame(bid: int, count: int, tenant: str, unreadable: bool) -> tuple[bytes, tuple[bytes, ...]]:
    """Return a frame and its entries' digests; ``unreadable``: its checksum is right over a payload that is not."""
    entries = [b"entry %d of %d" % (index, bid) for index in range(count)]
    payload = (b"\x0a\xff" if unreadable else b"") + join_entries(entries)
    return pack_frame(bid, 0, count, tenant, [payload], MemoryCodec().crc32c), tuple(entry_hash(entry) for entry in entries)


def run_seed(seed: int) -> Verdict:
    """Run one seed."""
    return Scenario(seed).run()
