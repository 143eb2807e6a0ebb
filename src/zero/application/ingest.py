"""Ingest: decode what arrives, gather it, put it on disk in the buffer, and only then say so.

Requests that arrive while a flush is in flight share the next one. When none is in flight, those of one event-loop turn do.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from zero.application.fair_funnel import FairFunnel
from zero.application.fair_room import FairRoom, FairRoomOptions
from zero.application.framing import FrameBounds, Gathered, Parcel, parcels
from zero.application.funnel import FunnelOptions
from zero.application.ingest_events import DurabilityFound, FlushFailed, RequestsAccepted
from zero.application.key_events import AccessRefused, QuotaReached
from zero.application.ports import Append, Appended, Buffer, Clock, Codec, Decoded, Telemetry
from zero.application.process_ids import ProcessIds
from zero.application.pushback import Pushback, PushbackOptions
from zero.application.receipt import Receipt
from zero.application.stored_ack import StoredAck, StoredAckOptions
from zero.application.submission import Ack, MeteredWaiter, Submission, Waiter
from zero.domain.errors import (
    BufferFull,
    BufferUnavailable,
    ConfigurationError,
    EpochLost,
    Overloaded,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
    ZeroError,
)
from zero.domain.instant import NANOSECONDS_PER_MILLISECOND

_REQUEST_OVERHEAD_BYTES = 512
_WATCH_SECONDS = 0.025
_START_SECONDS = 5.0
_HUNG = "the buffer does not answer; nothing of this request was stored"


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Bounds of one ingest process.

    Memory is bounded by the two halves of ``funnel`` (decoded) plus ``decode_bytes_max`` (bodies waiting for a thread); tenants
    share both. ``turn_bytes_max`` is what one tenant puts into a flush while others are active: it bounds how long they wait.
    ``patience_seconds`` is how long requests wait for a buffer that has yet to give this process its epoch.
    """

    shards: int = 1
    strict_durability: bool = False
    frame: FrameBounds = field(default_factory=FrameBounds)
    funnel: FunnelOptions = field(default_factory=lambda: FunnelOptions(items_max=60_000, bytes_max=24 * 1024 * 1024))
    stored: StoredAckOptions = field(default_factory=StoredAckOptions)
    pushback: PushbackOptions = field(default_factory=PushbackOptions)
    turn_bytes_max: int = 256 * 1024
    inline_bytes_max: int = 64 * 1024
    decode_threads: int = 2
    decode_requests_max: int = 1_024
    decode_bytes_max: int = 48 * 1024 * 1024
    patience_seconds: float = 0.2

    def __post_init__(self) -> None:
        if min(self.shards, self.decode_threads, self.turn_bytes_max) < 1:
            raise ValueError("shards, decode_threads and turn_bytes_max must be at least 1")


class Ingest:
    """The accepting side of the platform, of one process and one event loop."""

    def __init__(
        self, codec: Codec, buffer: Buffer, clock: Clock, telemetry: Telemetry, options: IngestOptions | None = None
    ) -> None:
        self._codec = codec
        self._buffer = buffer
        self._clock = clock
        self._telemetry = telemetry
        self._options = options or IngestOptions()
        self._funnel: FairFunnel[Gathered] = FairFunnel(self._options.funnel, self._options.turn_bytes_max, clock.monotonic)
        room = FairRoomOptions(self._options.decode_requests_max, self._options.decode_bytes_max)
        self._decoding_room = FairRoom("what waits to be decoded", room, clock.monotonic)
        self._stored = StoredAck(buffer, clock, self._options.stored)
        self._pushback = Pushback(clock, self._options.pushback)
        self._threads = ThreadPoolExecutor(self._options.decode_threads, thread_name_prefix="decode")
        self._decoding: set[asyncio.Task[None]] = set()
        self._ids = ProcessIds(buffer, clock, self._options.patience_seconds)
        self._next_shard = 0
        self._flusher: asyncio.Task[None] | None = None
        self._flush_scheduled = False
        self._watch: asyncio.TimerHandle | None = None
        self._hung = False
        self._closed = False

    async def start(self) -> None:
        """Report what an acknowledgement promises. Raises ConfigurationError when the buffer does not fsync and has to."""
        try:
            durability = await self._buffer.durability()
        except Unavailable:
            if self._options.strict_durability:
                raise
            return  # the process serves 503 until the buffer is back
        self._telemetry.emit(DurabilityFound(durability.mode, durability.detail))
        if self._options.strict_durability and durability.mode != "durable":
            raise ConfigurationError(
                f"ZERO_DURABILITY=strict, but the buffer would acknowledge before it is on disk ({durability.detail}). "
                "Set 'appendonly yes' and 'appendfsync always' on the buffer, or unset ZERO_DURABILITY."
            )
        with suppress(Overloaded, Unavailable):
            await self._ids.current(_START_SECONDS)  # the first request need not wait for it

    @asynccontextmanager
    async def running(self, stop_seconds_max: float) -> AsyncIterator[None]:
        """Start; at the end of the block flush what was taken, and close. Raises what ``start`` raises."""
        await self.start()
        try:
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(stop_seconds_max):
                    await self.close()

    def accept(self, submission: Submission) -> None:
        """Take one request. Its waiter is told the outcome, perhaps before this returns."""
        try:
            if self._closed:
                raise Unavailable("this process is stopping")
            if self._hung:
                raise BufferUnavailable(_HUNG)
            self._pushback.check()
            submission.meter = submission.identity.admit(len(submission.body))
            if submission.decompress or len(submission.body) > self._options.inline_bytes_max:
                self._decode_in_thread(submission)
            else:
                self._gather(submission, submission.decoded(self._clock.now_ns()))
        except Exception as error:
            self._refuse(submission, error)

    async def close(self) -> None:
        """Refuse what is new, finish what was taken. The caller bounds the wait."""
        self._closed = True
        while self._decoding:
            await asyncio.wait(self._decoding)
        while self._funnel or self._flusher:
            self._start_flush()
            if self._flusher:
                await asyncio.wait([self._flusher])
        await self._stored.close()
        await self._ids.close()
        self._threads.shutdown(wait=False)

    def _decode_in_thread(self, submission: Submission) -> None:
        size = len(submission.body)
        self._decoding_room.enter(submission.tenant, 1, size)
        task = asyncio.get_running_loop().create_task(self._decode(submission, size))
        self._decoding.add(task)
        task.add_done_callback(self._decoding.discard)

    async def _decode(self, submission: Submission, size: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            decoded = await loop.run_in_executor(self._threads, submission.decoded, self._clock.now_ns())
            self._gather(submission, decoded)
        except Exception as error:
            self._refuse(submission, error)
        finally:
            self._decoding_room.leave(submission.tenant, 1, size)

    def _gather(self, submission: Submission, decoded: Decoded) -> None:
        if submission.decompress and submission.identity.meter is not None:  # a compressed body is charged for what it holds
            submission.identity.meter.charge(max(0, len(decoded.payload) - len(submission.body)))
        submission.body = b""  # decoded: let the memory go while the flush waits
        if not decoded.accepted:
            submission.release()
            submission.waiter.settled(Receipt(0, decoded.rejected, 0, 0, decoded.errors))
            return
        size = len(decoded.payload) + _REQUEST_OVERHEAD_BYTES
        self._funnel.add(submission.tenant, (submission, decoded), size, decoded.accepted)
        if self._flusher is None and not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_soon(self._start_flush)

    def _refuse(self, submission: Submission, error: Exception) -> None:
        submission.release()
        if isinstance(error, QuotaExceeded):
            self._telemetry.emit(QuotaReached(error.limit))
        elif isinstance(error, Unauthenticated):
            self._telemetry.emit(AccessRefused(error.code))
        if isinstance(error, BufferFull | QuotaExceeded):
            submission.body = b""
            self._pushback.later(lambda: submission.waiter.failed(error))
            return
        submission.waiter.failed(_told(error))

    def _start_flush(self) -> None:
        self._flush_scheduled = False
        if self._flusher is None and self._funnel:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_all())
            if self._watch is None:
                self._watch = asyncio.get_running_loop().call_later(_WATCH_SECONDS, self._look)

    def _look(self) -> None:
        """While the buffer hangs, refuse what waits behind the flush: none of it was sent, so it may safely be sent again."""
        self._watch = None
        self._hung = self._flusher is not None and self._buffer.silent()
        if self._flusher is None:
            return  # nothing would look again: what comes next finds out by its own flush
        if self._hung:
            self._fail(self._funnel.drop(), BufferUnavailable(_HUNG))
        self._watch = asyncio.get_running_loop().call_later(_WATCH_SECONDS, self._look)

    async def _flush_all(self) -> None:
        try:
            while self._funnel:
                gathered = self._funnel.take()
                try:
                    reasons = await self._flush(gathered)
                except Exception as error:
                    reasons = [self._give_up(gathered, _told(error))]
                self._funnel.done()
                self._hung = False
                if away := next((reason for reason in reasons if isinstance(reason, Unavailable)), None):
                    self._fail(self._funnel.drop(), away)  # those behind have waited as long
                await asyncio.sleep(0)  # what has arrived by now joins the next flush
        finally:
            self._flusher = None

    async def _flush(self, gathered: Sequence[Gathered]) -> list[ZeroError]:
        """Append what was gathered and tell each its outcome; returns the reasons why frames were not taken."""
        started = self._clock.monotonic()
        ids = await self._ids.current()
        packed = parcels(gathered, self._options.frame)
        now_ms = self._clock.now_ns() // NANOSECONDS_PER_MILLISECOND
        together: dict[str | int, list[tuple[Parcel, Append]]] = {}
        for parcel in packed:
            parcel.batch_id = ids.next(now_ms)
            self._next_shard += 1  # of keyed frames the buffer picks the shard, so that a retry meets the first try
            shard = (ids.epoch + self._next_shard) % self._options.shards
            append = parcel.append(shard, now_ms, self._codec.crc32c)
            together.setdefault(append.shard if parcel.key is None else f"{parcel.batch_id}", []).append((parcel, append))
        if len(together) == 1:
            outcomes = [await self._append(packed, started) for packed in together.values()]
        else:
            outcomes = await asyncio.gather(*(self._append(packed, started) for packed in together.values()))
        return [reason for reason in outcomes if reason is not None]

    async def _append(self, packed: Sequence[tuple[Parcel, Append]], started: float) -> ZeroError | None:
        """Append what the buffer takes or refuses as one: a refusal must not reach those whose frames another shard took."""
        try:
            outcome = await self._buffer.append([append for _, append in packed])
        except Exception as error:
            return self._give_up([member for parcel, _ in packed for member in parcel.members], _told(error))
        for (parcel, _), appended in zip(packed, outcome, strict=True):
            self._settle(parcel, appended)
        taken = [each for each, appended in zip(packed, outcome, strict=True) if appended.position is not None]
        if taken:
            size = sum(len(append.frame) for _, append in taken)
            self._report([parcel for parcel, _ in taken], size, self._clock.monotonic() - started)
        return None

    def _settle(self, parcel: Parcel, appended: Appended) -> None:
        try:
            receipts = parcel.receipts(appended)
        except Exception as error:  # of this parcel alone: the others of the flush are stored
            for submission, _ in parcel.members:
                self._refuse(submission, _told(error))
            return
        for (submission, _), receipt in zip(parcel.members, receipts, strict=True):
            if submission.ack is Ack.STORED and appended.position is not None:
                waiter = MeteredWaiter(submission.waiter, submission.meter) if submission.meter else submission.waiter
                self._stored.wait(appended.position, receipt, waiter)
                continue
            if submission.meter is not None:
                submission.release()
            if submission.ack is None:
                submission.waiter.settled(receipt)
            else:
                submission.waiter.settled(receipt._replace(ack=Ack.DURABLE.value))

    def _give_up(self, gathered: Sequence[Gathered], error: ZeroError) -> ZeroError:
        if isinstance(error, BufferFull):
            self._pushback.remember(error)
        elif isinstance(error, EpochLost):
            self._ids.lose()
        self._fail(gathered, error)
        return error

    def _fail(self, gathered: Sequence[Gathered], error: ZeroError) -> None:
        if not gathered:
            return
        self._telemetry.emit(FlushFailed(error.code, len(gathered), error.message))
        for submission, _ in gathered:
            self._refuse(submission, error)

    def _report(self, packed: Sequence[Parcel], size: int, seconds: float) -> None:
        requests = entries = rejected = repaired = 0
        for parcel in packed:
            requests += len(parcel.members)
            entries += parcel.count
            for _, decoded in parcel.members:
                rejected += decoded.rejected
                repaired += decoded.repaired
        self._telemetry.emit(RequestsAccepted(requests, entries, rejected, repaired, len(packed), size, seconds))


def _told(error: Exception) -> ZeroError:
    """Return the error for a waiter: a defect of ours becomes one too, so that nobody waits for ever."""
    return error if isinstance(error, ZeroError) else ZeroError(f"internal error: {type(error).__name__}: {error}")


class _FutureWaiter:
    """Turns the outcome into a future."""

    def __init__(self, future: "asyncio.Future[Receipt]") -> None:
        self._future = future

    def settled(self, receipt: Receipt) -> None:
        if not self._future.done():
            self._future.set_result(receipt)

    def failed(self, error: ZeroError) -> None:
        if not self._future.done():
            self._future.set_exception(error)


def future_waiter() -> tuple[Waiter, "asyncio.Future[Receipt]"]:
    """Return a waiter for callers that are coroutines, and the future that gets its receipt or its error."""
    future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    return _FutureWaiter(future), future
