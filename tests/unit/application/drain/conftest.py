"""A drain over memory adapters that count what is asked of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from zero.application.drain import DrainOptions, DrainParts, ShardDrain
from zero.application.ports import Append, Block, Lease
from zero.domain.errors import ZeroError
from zero.domain.frame import pack_frame
from zero.domain.log_batch import join_entries
from zero.infrastructure.memory import ManualClock, MemoryBuffer, MemoryCodec, MemoryStore, MemoryTelemetry


class CountingStore(MemoryStore):
    """Counts its calls, and fails as told: ``errors`` are raised by the next inserts, after ``stored_first`` rows are in."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.errors: list[ZeroError] = []
        self.stored_first = 0
        self.blocks: list[int] = []

    async def fence(self, lease: Lease) -> None:
        self.calls["fence"] += 1
        await super().fence(lease)

    async def quiesce(self, lease: Lease) -> None:
        self.calls["quiesce"] += 1

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        self.calls["present"] += 1
        return await super().present(batch_ids)

    async def insert(self, block: Block, lease: Lease) -> None:
        self.calls["insert"] += 1
        if self.errors:
            self.store(self.admit(block, lease)[: self.stored_first])
            raise self.errors.pop(0)
        await super().insert(block, lease)
        self.blocks.append(block.rows)


class CountingBuffer(MemoryBuffer):
    """Counts its calls, and runs ``hook`` before each."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.calls: Counter[str] = Counter()
        self.errors: dict[str, list[ZeroError]] = {}

    def __getattribute__(self, name: str) -> Any:
        if name in ("acquire", "renew", "release", "pending", "read", "settle"):
            self.calls[name] += 1
            if waiting := self.errors.get(name):
                raise waiting.pop(0)
        return super().__getattribute__(name)


@dataclass
class Bench:
    """Everything around one drain."""

    clock: ManualClock = field(default_factory=ManualClock)
    store: CountingStore = field(default_factory=CountingStore)
    codec: MemoryCodec = field(default_factory=MemoryCodec)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)

    def __post_init__(self) -> None:
        self.log = CountingBuffer(self.clock)

    def random(self) -> float:
        return 0.5

    def drain(self, owner: str = "drain-a", **options: Any) -> ShardDrain:
        parts = DrainParts(self.log, self.store, self.codec, self.clock, self, self.telemetry)
        return ShardDrain(0, owner, parts, DrainOptions(**options))

    async def append(self, bid: int, count: int = 3, tenant: str = "default", *, payload: bytes | None = None) -> None:
        body = join_entries([b"entry %d of %d" % (n, bid) for n in range(count)]) if payload is None else payload
        await self.log.append([Append(0, pack_frame(bid, 0, count, tenant, [body], self.codec.crc32c), tenant, count)])

    async def to_empty(self, drain: ShardDrain, seconds: float = 60.0) -> None:
        """Run the drain until the shard is empty, and stop it."""
        drain.stop(seconds)
        await drain.run()

    @property
    def stored(self) -> dict[int, list[int]]:
        return {bid: sorted(index for index, _ in rows) for bid, rows in self.store.rows.items() if rows}


@pytest.fixture
def bench() -> Bench:
    return Bench()
