"""What the platform needs from outside: each port has an adapter in ``zero.infrastructure`` and a fake in tests. Ports are
asynchronous where they wait. The application never sees a foreign exception: adapters raise ``zero.domain.errors``."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from zero.application.events import Event
from zero.domain.audit import AuditRecord
from zero.domain.entry import Level
from zero.domain.frame import Frame
from zero.domain.key import ApiKey, KeySet
from zero.domain.ledger import TenantLedger
from zero.domain.query import Node
from zero.domain.stored import EntryKey, StoredEntry


class Clock(Protocol):
    """Time, so that a simulator can own it."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds, UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class Random(Protocol):
    """Randomness for jitter, so that a simulator can own it. ``random.Random`` fits."""

    def random(self) -> float:
        """Return a float in [0, 1)."""


class Telemetry(Protocol):
    """Where events go; each becomes a log line and a metric."""

    def emit(self, event: Event) -> None:
        """Take the event. Never raises, never blocks."""


class Decoded(NamedTuple):
    """What a decoder made of one body: a tuple, the cheapest thing to make, because every request makes one.

    ``payload`` is the ``LogBatch`` of the accepted entries, complete and valid. ``errors`` names the rejected ones: (index in
    the body, message), the first 100. ``repaired`` counts entries in which invalid UTF-8 became U+FFFD.
    """

    payload: bytes
    accepted: int
    rejected: int
    errors: Sequence[tuple[int, str]] = ()
    repaired: int = 0


class BulkDecoded(NamedTuple):
    """What a decoder made of one bulk body: ``outcomes`` says what became of each action, for ``Codec.bulk_items`` to read."""

    decoded: Decoded
    outcomes: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """Rows as columns in ClickHouse's Native format."""

    data: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class RowRange:
    """Entries ``start`` to ``stop`` (exclusive) of the frame at position ``frame`` of a list."""

    frame: int
    start: int
    stop: int


class Codec(Protocol):
    """The hot path: whole batches in, whole batches out. Safe to call from any thread."""

    def crc32c(self, data: bytes | memoryview, seed: int = 0) -> int:
        """Return the CRC-32C (Castagnoli) of the bytes; ``seed`` is that of the bytes before them."""

    def decode_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode an object, an array, ``{"logs": […]}`` or NDJSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_log_batch(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode ``zero.v1.LogBatch``. Raises InvalidInput when the whole body is unreadable."""

    def decode_otlp(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode OTLP's ``ExportLogsServiceRequest`` in protobuf. Raises InvalidInput when the whole body is unreadable."""

    def decode_otlp_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in OTLP/JSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_loki(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode Loki's ``PushRequest`` in protobuf, uncompressed. Raises InvalidInput when the whole body is unreadable."""

    def decode_loki_json(self, body: bytes | memoryview, now_ns: int, source: str) -> Decoded:
        """Decode the same in JSON. Raises InvalidInput when the whole body is unreadable."""

    def decode_bulk(self, body: bytes | memoryview, now_ns: int, source: str, index: str) -> BulkDecoded:
        """Decode Elasticsearch's bulk lines; ``index`` is that of actions without one. Raises InvalidInput."""

    def bulk_items(self, outcomes: bytes, batch_id: int, first_index: int) -> bytes:
        """Return the JSON array that answers the actions one by one, the entries accepted as the receipt says."""

    def encode_block(self, frames: Sequence[Frame], rows: Sequence[RowRange] | None = None) -> Block:
        """Encode the chosen rows (None: all) as one Native block of table ``logs``. Raises CorruptFrame on a bad payload."""


class Decompressor(Protocol):
    """Reads compressed bodies. Safe to call from any thread."""

    def reads(self, encoding: str) -> bool:
        """Say whether the HTTP content coding is one it reads."""

    def decompress(self, encoding: str, body: bytes, bytes_max: int) -> bytes:
        """Return the body, holding at most ``bytes_max`` of it. Raises TooLarge beyond, InvalidInput when it is broken."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a frame lies in the buffer."""

    shard: int
    entry: str


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A sender's key for one request, and the receipt to remember under it."""

    tenant: str
    key: str
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """One frame on its way into the buffer."""

    shard: int
    frame: bytes
    tenant: str
    count: int
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """The frame is on disk at ``position``; or the key was known and ``earlier_receipt`` is what it got then."""

    position: Position | None
    earlier_receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class Durability:
    """What the buffer promises: ``mode`` is ``durable`` (fsync before reply) or ``relaxed``, ``detail`` says why."""

    mode: str
    detail: str


@dataclass(frozen=True, slots=True)
class BufferLevel:
    """How full the buffer is."""

    used_bytes: int
    limit_bytes: int
    frames: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry or frame that cannot be stored, kept with its reason.

    With an ``index`` it is one entry: ``frame`` holds that entry alone, under the batch id that it came with. Without one,
    ``frame`` is the whole frame as it lay in the buffer, unreadable.
    """

    position: Position
    reason: str
    tenant: str
    count: int
    frame: bytes
    index: int | None = None


class Buffer(Protocol):
    """The durable buffer as the ingest side and the api see it."""

    async def append(self, appends: Sequence[Append]) -> Sequence[Appended]:
        """Put the frames on disk in one round trip. Raises BufferUnavailable or Overloaded (full): none is acknowledged."""

    def silent(self) -> bool:
        """Say whether appends are under way and no sign of life has come for too long."""

    async def next_process_epoch(self) -> int:
        """Return a number that no other process start was given."""

    async def drained(self, positions: Sequence[Position]) -> Sequence[Container[int] | None]:
        """Return for each frame the indexes of the entries that became dead letters; None until the drain has settled it."""

    async def durability(self) -> Durability:
        """Say what an acknowledgement means with the server's present settings."""

    async def level(self) -> BufferLevel:
        """Say how full the buffer is."""

    async def ledger(self) -> Mapping[str, TenantLedger]:
        """Return the ledger of every tenant, read in one atomic step for each shard."""

    async def dead_letters(self, after: str, limit: int) -> Sequence[tuple[str, DeadLetter]]:
        """Return up to ``limit`` (cursor, dead letter) pairs behind the cursor ``after`` ('' for the first)."""

    async def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drain a shard. A higher epoch fences every lower one."""

    shard: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One stream entry as read. ``data`` is None when it was deleted but is still in the pending list.

    ``tenant`` and ``count`` are what was appended, kept beside the frame, so that a corrupt frame can still be accounted for.
    """

    position: Position
    data: bytes | None
    tenant: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What has become of the entries at ``positions``: counts of stored entries by tenant, and by tenant and day of receipt
    (docs/decisions/0146), and the dead letters."""

    positions: Sequence[Position]
    stored: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    stored_by_day: Mapping[tuple[str, int], int] = field(default_factory=dict)


class ShardLog(Protocol):
    """The durable buffer as the drain sees it."""

    async def shards(self) -> int:
        """Return how many shards the buffer has, those included that are no longer appended to."""

    async def acquire(self, shard: int, owner: str) -> Lease | None:
        """Take the lease with a new epoch when it is free, expired or ``owner``'s own; else None."""

    async def renew(self, lease: Lease) -> None:
        """Extend the lease. Raises LeaseLost."""

    async def release(self, lease: Lease) -> None:
        """Give the lease back if it is still ours."""

    async def pending(self, lease: Lease, after: str, limit: int) -> Sequence[Delivery]:
        """Return delivered but unsettled entries behind ``after`` ('0' for the first), oldest first. Raises LeaseLost."""

    async def read(self, lease: Lease, limit: int, wait_seconds: float) -> Sequence[Delivery]:
        """Return new entries, oldest first; waits up to ``wait_seconds`` for the first one. Raises LeaseLost."""

    async def settle(self, lease: Lease, settlement: Settlement) -> None:
        """Acknowledge, delete, count and dead-letter in one transaction. Raises LeaseLost when fenced: nothing was done."""


class Store(Protocol):
    """The store as the drain sees it."""

    async def fence(self, lease: Lease) -> None:
        """From its return on, no insert for the shard under a lower epoch can begin (docs/decisions/0130)."""

    async def quiesce(self, shard: int) -> None:
        """Return once no insert for the shard is running; stops those that are."""

    async def present(self, batch_ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
        """Return, for each batch id with stored rows, the indexes stored (with repeats, should there be any)."""

    async def insert(self, block: Block, lease: Lease) -> None:
        """Store the block, fsynced. Raises StoreRejected (data wrong), StoreHalted, StoreUnavailable (outcome unknown), or
        LeaseLost (a higher epoch has fenced this one; nothing was stored)."""


class KeyStore(Protocol):
    """Where the keys lie, for every process of every host. Raises BufferUnavailable or Overloaded."""

    async def version(self) -> int:
        """Return the version of the set; 0 before the first key."""

    async def load(self) -> KeySet:
        """Return every key, with the version they belong to."""

    async def change(self, based_on: int, keys: Sequence[ApiKey], removed: Sequence[str], record: AuditRecord) -> bool:
        """Put or replace the keys, remove others by id, and record the act, in one step.

        Returns False, and has done nothing, when the version is no longer ``based_on``.
        """

    async def mark_used(self, at_ns: int, ids: Sequence[str]) -> None:
        """Remember that these keys were in use at that time."""

    async def used(self) -> Mapping[str, int]:
        """Return when each key was last in use, in Unix nanoseconds; absent when never."""

    async def record(self, record: AuditRecord) -> None:
        """Record an act; only the latest several thousand are kept."""

    async def audit(self, before: str, limit: int) -> Sequence[tuple[str, AuditRecord]]:
        """Return up to ``limit`` (cursor, act) pairs, newest first, older than the cursor ``before`` ('' for the newest)."""

    async def close(self) -> None:
        """Close the connections."""


class QueryParser(Protocol):
    """The query language. Safe to call from any thread."""

    def parse(self, text: str, now_ns: int) -> Node:
        """Return what the query asks for; ``now_ns`` is what ``now`` means in it. Raises QuerySyntaxError."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entries a read is about: always of one tenant, from ``from_ns`` up to ``to_ns`` (exclusive), None for open."""

    tenant: str
    query: Node
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Entries of one level in the interval that begins at ``start_ns``."""

    start_ns: int
    level: Level
    count: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What the store holds of one tenant; ``disk_bytes`` is that of all tenants together."""

    entries: int
    by_app: Mapping[str, int]
    by_level: Mapping[Level, int]
    entries_last_minute: int
    disk_bytes: int


class LogReader(Protocol):
    """The store as the search sees it. Reads only; raises StoreUnavailable, Overloaded or QueryTooExpensive."""

    async def latest(self, scope: Scope, limit: int, before: EntryKey | None = None) -> Sequence[StoredEntry]:
        """Return up to ``limit`` entries, newest first, that come after ``before`` in that order."""

    async def arrivals(self, scope: Scope, since_batch_id: int, limit: int) -> Sequence[tuple[int, int]]:
        """Return up to ``limit`` (batch id, index) of entries accepted since that batch id, newest first."""

    async def entries(self, tenant: str, identities: Sequence[tuple[int, int]]) -> Sequence[StoredEntry]:
        """Return the entries with these identities, oldest accepted first."""

    async def histogram(self, scope: Scope, step_seconds: int) -> Sequence[Tally]:
        """Count entries by level in steps that begin at multiples of ``step_seconds``; empty steps are left out."""

    async def facets(self, scope: Scope, fields: Sequence[str], limit: int) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Return for each field its ``limit`` most frequent values with their counts."""

    async def figures(self, tenant: str, now_ns: int) -> StoreFigures:
        """Return what the store holds of the tenant."""

    async def rows(self) -> Mapping[str, int]:
        """Return the number of stored entries of every tenant."""

    async def rows_by_day(self) -> Mapping[tuple[str, int], int]:
        """Return the same for every tenant and day of receipt (UTC, counted from 1970)."""

    async def ping(self) -> None:
        """Return when the store answers. Raises StoreUnavailable."""
