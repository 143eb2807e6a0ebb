"""The durable buffer in memory: streams with a pending list, leases with epochs, a ledger. Durable as long as the object."""

from collections import Counter, OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from zero.application.ports import (
    Append,
    Appended,
    Buffer,
    BufferLevel,
    Clock,
    DeadLetter,
    DeadLetterStore,
    Delivery,
    Durability,
    Lease,
    Position,
    RetentionLedger,
    Settlement,
    ShardLog,
)
from zero.domain.errors import BufferFull, LeaseLost
from zero.domain.frame import EVERY_ENTRY
from zero.domain.ledger import TenantLedger
from zero.domain.retention import Cut


@dataclass(frozen=True, slots=True)
class MemoryBufferOptions:
    """Bounds of the buffer, and how often a waiting read looks again."""

    limit_bytes: int = 256 * 1024 * 1024
    lease_seconds: float = 10.0
    poll_seconds: float = 0.01


@dataclass(slots=True)
class _Shard:
    stream: OrderedDict[int, Append] = field(default_factory=OrderedDict)
    pending: OrderedDict[int, None] = field(default_factory=OrderedDict)
    appended: int = 0
    delivered: int = 0
    epoch: int = 0
    owner: str = ""
    expires: float = 0.0
    accepted: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    by_day: Counter[tuple[str, int]] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    replayed: set[int] = field(default_factory=set)


class MemoryBuffer(Buffer, ShardLog, DeadLetterStore, RetentionLedger):
    """All sides of the buffer over plain data; every method is one atomic step once it has stopped waiting."""

    def __init__(self, clock: Clock, shards: int = 1, options: MemoryBufferOptions | None = None) -> None:
        self._clock = clock
        self._options = options or MemoryBufferOptions()
        self._shards = [_Shard() for _ in range(shards)]
        self._dead: dict[int, DeadLetter] = {}
        self._dead_count = 0
        self._receipts: dict[tuple[str, str], bytes] = {}
        self._process_epoch = 0
        self._cut = Cut()
        self._used_bytes = 0

    async def append(self, appends: Sequence[Append]) -> Sequence[Appended]:
        """Put the frames in, all or none. Raises BufferFull when they do not fit."""
        if self._used_bytes + sum(len(append.frame) for append in appends) > self._options.limit_bytes:
            raise BufferFull("the buffer is full")
        return [self._append(append) for append in appends]

    def silent(self) -> bool:
        """Say that memory answers at once."""
        return False

    async def next_process_epoch(self) -> int:
        """Return the next number."""
        self._process_epoch += 1
        return self._process_epoch

    async def drained(self, positions: Sequence[Position]) -> Sequence[Container[int] | None]:
        """Look at what is no longer in its stream."""
        return [
            None if _number(position.entry) in self._shards[position.shard].stream else self._dead_of(position)
            for position in positions
        ]

    def _dead_of(self, position: Position) -> Container[int]:
        indexes = {letter.index for letter in self._dead.values() if letter.position == position}
        return EVERY_ENTRY if None in indexes else {index for index in indexes if index is not None}

    async def durability(self) -> Durability:
        """Say that memory is not a disk."""
        return Durability("relaxed", "kept in memory")

    async def level(self) -> BufferLevel:
        """Say how full the buffer is."""
        frames = sum(len(shard.stream) for shard in self._shards)
        return BufferLevel(self._used_bytes, self._options.limit_bytes, frames)

    async def ledger(self) -> Mapping[str, TenantLedger]:
        """Return the ledger; ``in_buffer`` is counted from the streams, not derived from the other three."""
        accepted, stored, dead, dropped, waiting = (Counter[str]() for _ in range(5))
        for shard in self._shards:
            accepted += shard.accepted
            stored += shard.stored
            dead += shard.dead
            dropped += shard.dropped
            for append in shard.stream.values():
                waiting[append.tenant] += append.count
        return {
            name: TenantLedger(accepted[name], stored[name], dead[name], waiting[name], dropped[name], self._by_day(name))
            for name in sorted(accepted | dead)
        }

    async def forget(self, cut: Cut) -> None:
        """Tell no days before the cut any more."""
        self._cut = self._cut.joined(cut)

    async def dead_letters(self, after: str, limit: int) -> Sequence[tuple[str, DeadLetter]]:
        """Return dead letters behind the cursor."""
        start = int(after or 0)
        return [(str(number), letter) for number, letter in self._dead.items() if number > start][:limit]

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Return the dead letter, if it is there."""
        return self._dead.get(int(id)) if id.isdecimal() else None

    async def replay(self, id: str, frame: bytes) -> bool:
        """Move the letter back into its stream."""
        letter = self._dead.pop(int(id), None)
        if letter is None:
            return False
        state = self._shards[letter.position.shard]
        state.dead[letter.tenant] -= letter.count
        self._put(state, Append(letter.position.shard, frame, letter.tenant, letter.count))
        state.replayed.add(state.appended)
        return True

    async def drop(self, id: str) -> bool:
        """Delete the letter."""
        letter = self._dead.pop(int(id), None)
        if letter is None:
            return False
        self._shards[letter.position.shard].dropped[letter.tenant] += letter.count
        return True

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    async def shards(self) -> int:
        """Return how many there are."""
        return len(self._shards)

    async def acquire(self, shard: int, owner: str) -> Lease | None:
        """Take the lease when it is free, expired or the owner's own."""
        state = self._shards[shard]
        if state.owner not in ("", owner) and self._clock.monotonic() < state.expires:
            return None
        state.epoch += 1
        state.owner = owner
        state.expires = self._clock.monotonic() + self._options.lease_seconds
        return Lease(shard, owner, state.epoch)

    async def renew(self, lease: Lease) -> None:
        """Extend the lease."""
        self._held(lease).expires = self._clock.monotonic() + self._options.lease_seconds

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours; the epoch stays."""
        state = self._shards[lease.shard]
        if state.epoch == lease.epoch:
            state.owner, state.expires = "", 0.0

    async def pending(self, lease: Lease, after: str, limit: int) -> Sequence[Delivery]:
        """Return delivered but unsettled entries behind ``after``."""
        state, start = self._held(lease), _number(after)
        return [self._delivery(lease.shard, number) for number in state.pending if number > start][:limit]

    async def read(self, lease: Lease, limit: int, wait_seconds: float) -> Sequence[Delivery]:
        """Return new entries and put them on the pending list."""
        state = self._held(lease)
        deadline = self._clock.monotonic() + wait_seconds
        while not (fresh := [number for number in state.stream if number > state.delivered][:limit]):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return []
            await self._clock.sleep(min(left, self._options.poll_seconds))
            self._held(lease)
        state.delivered = fresh[-1]
        state.pending.update(dict.fromkeys(fresh))
        return [self._delivery(lease.shard, number) for number in fresh]

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Acknowledge, delete, count and dead-letter, or raise LeaseLost and do nothing."""
        state = self._held(lease)
        for position in settlement.positions:
            number = _number(position.entry)
            state.pending.pop(number, None)
            gone = state.stream.pop(number, None)
            state.replayed.discard(number)
            self._used_bytes -= len(gone.frame) if gone else 0
        state.stored.update(settlement.stored)
        state.by_day.update(settlement.stored_by_day)
        for letter in settlement.dead_letters:
            state.dead[letter.tenant] += letter.count
            self._dead_count += 1
            self._dead[self._dead_count] = letter

    def delete(self, position: Position) -> None:
        """Delete an entry behind the drain's back; it stays on the pending list if it was delivered."""
        gone = self._shards[position.shard].stream.pop(_number(position.entry))
        self._used_bytes -= len(gone.frame)

    def _append(self, append: Append) -> Appended:
        key = append.idempotency
        if key and (earlier := self._receipts.get((key.tenant, key.key))) is not None:
            return Appended(None, earlier)
        if key:
            self._receipts[key.tenant, key.key] = key.receipt
        state = self._shards[append.shard]
        state.accepted[append.tenant] += append.count
        self._put(state, append)
        return Appended(Position(append.shard, f"{state.appended}-0"))

    def _put(self, state: _Shard, append: Append) -> None:
        state.appended += 1
        state.stream[state.appended] = append
        self._used_bytes += len(append.frame)

    def _by_day(self, name: str) -> Counter[int]:
        days = Counter[int]()
        for shard in self._shards:
            of_tenant = {day: count for (tenant, day), count in shard.by_day.items() if tenant == name}
            days.update({day: count for day, count in of_tenant.items() if day >= self._cut.of(name)})
        return days

    def _held(self, lease: Lease) -> _Shard:
        state = self._shards[lease.shard]
        if state.epoch != lease.epoch or state.owner != lease.owner or self._clock.monotonic() >= state.expires:
            raise LeaseLost(f"shard {lease.shard}: epoch {lease.epoch} of {lease.owner} no longer holds the lease")
        return state

    def _delivery(self, shard: int, number: int) -> Delivery:
        state, position = self._shards[shard], Position(shard, f"{number}-0")
        append = state.stream.get(number)
        if append is None:
            return Delivery(position, None)
        return Delivery(position, append.frame, append.tenant, append.count, number in state.replayed)


def _number(entry: str) -> int:
    return int(entry.partition("-")[0])
