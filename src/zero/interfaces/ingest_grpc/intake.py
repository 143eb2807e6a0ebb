"""What the ingest RPCs share: a message becomes a submission, its receipt a message."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from zero.application.identity import Identity
from zero.application.ingest import Ingest, future_waiter
from zero.application.ports import Decompressor
from zero.application.receipt import Receipt
from zero.application.stored_ack import DEAD_LETTERED
from zero.application.submission import IDEMPOTENCY_KEY_CHARACTERS, Ack, Decode, Submission, checked_key, parse_ack
from zero.domain.errors import InvalidInput, ZeroError
from zero.domain.key import KeyScope
from zero.interfaces.ingest_grpc.call import Call, Share
from zero.interfaces.ingest_grpc.coding import coding_of
from zero.interfaces.ingest_grpc.messages import encoded, message
from zero.interfaces.ingest_grpc.options import IngestGrpcOptions
from zero.interfaces.ingest_grpc.status import RpcFailure, RpcStatus, status_of

_ERRORS_MAX = 100
_NUMBER_CHARACTERS = 12
_LEAST_FIRST = (DEAD_LETTERED, Ack.DURABLE.value, Ack.STORED.value)


@dataclass(slots=True)
class Summary:
    """The receipts of a stream's batches, added up. Its errors carry the entry's number in the stream."""

    accepted: int = 0
    rejected: int = 0
    batches: int = 0
    dead_lettered: int = 0
    last: Receipt = field(default_factory=lambda: Receipt(0, 0, 0, 0))
    errors: list[tuple[int, str]] = field(default_factory=list)
    acks: set[str] = field(default_factory=set)

    def add(self, receipt: Receipt) -> None:
        """Count the receipt of the next batch."""
        seen = self.accepted + self.rejected
        self.errors += [(seen + index, reason) for index, reason in receipt.errors[: _ERRORS_MAX - len(self.errors)]]
        self.accepted += receipt.accepted
        self.rejected += receipt.rejected
        self.batches += 1
        self.dead_lettered += receipt.dead_lettered
        self.acks.add(receipt.ack)
        self.last = receipt

    def receipt(self) -> Receipt:
        """Return the sum, with the least of the acknowledgements."""
        if self.batches == 1:
            return self.last
        ack = next((ack for ack in _LEAST_FIRST if ack in self.acks), "")
        return Receipt(self.accepted, self.rejected, 0, 0, self.errors, ack, self.dead_lettered)


class Intake:
    """Takes messages of ingest RPCs from their callers to the ingest service."""

    def __init__(self, ingest: Ingest, decompressor: Decompressor, options: IngestGrpcOptions) -> None:
        self._ingest = ingest
        self._decompressor = decompressor
        self._options = options
        self._slow = Share(options.slow_reads_max, options.slow_reads_per_tenant_max, 0)
        self._streams = Share(options.streams_max, options.streams_per_tenant_max, options.wait_seconds)

    async def one(self, call: Call, decode: Decode) -> Receipt:
        """Read the one message of a call and have it accepted. Raises ZeroError or RpcFailure."""
        identity = call.authorise(KeyScope.INGEST)
        key, ack = _key_of(call, IDEMPOTENCY_KEY_CHARACTERS), _ack_of(call)
        body = await call.only_message(self._slow, identity.tenant, self._options)
        return await self._submit(body, decode, call, identity, (key, ack))

    async def many(self, call: Call, decode: Decode) -> Summary:
        """Read the messages of a call and have each accepted, several at a time. Raises ZeroError or RpcFailure.

        What the metadata says of acknowledged batches is true for the first of the stream: they are counted in order.
        """
        identity = call.authorise(KeyScope.INGEST)
        key, ack = _key_of(call, IDEMPOTENCY_KEY_CHARACTERS - _NUMBER_CHARACTERS), _ack_of(call)
        window, summary, number = _Window(self._options), Summary(), 0
        try:
            async with self._streams.room(identity.tenant):
                while (body := await call.read(self._options.stream_idle_seconds)) is not None:
                    while not window.fits(body):
                        summary.add(await window.oldest())
                    numbered = key and f"{key}/{number}"
                    window.put(self._submit(body, decode, call, identity, (numbered, ack)), len(body))
                    number += 1
                while window:
                    summary.add(await window.oldest())
        except ZeroError as error:
            raise RpcFailure(_interrupted(status_of(error), summary)) from error
        except RpcFailure as failure:
            raise RpcFailure(_interrupted(failure.status, summary)) from failure
        finally:
            await window.close()
        return summary

    def _submit(
        self, body: bytes, decode: Decode, call: Call, identity: Identity, asked: tuple[str | None, Ack | None]
    ) -> "asyncio.Future[Receipt]":
        waiter, outcome = future_waiter()
        coding = coding_of(body)
        decompress = partial(self._decompress, coding) if coding else None
        key, ack = asked
        trace = call.field("traceparent")
        self._ingest.accept(Submission(body, decode, call.source, waiter, identity, key, ack, decompress, trace=trace))
        return outcome

    def _decompress(self, coding: str, body: bytes) -> bytes:
        return self._decompressor.decompress(coding, body, self._options.message_bytes_max)


class _Window:
    """Batches of one stream that were submitted and are not settled."""

    def __init__(self, options: IngestGrpcOptions) -> None:
        self._options = options
        self._waiting: deque[tuple[asyncio.Future[Receipt], int]] = deque()
        self._bytes = 0

    def fits(self, body: bytes) -> bool:
        """Say whether the batch may be submitted now; one always may."""
        fits = self._bytes + len(body) <= self._options.stream_bytes_max
        return not self._waiting or (fits and len(self._waiting) < self._options.stream_batches_max)

    def put(self, outcome: "asyncio.Future[Receipt]", size: int) -> None:
        """Add a batch."""
        self._waiting.append((outcome, size))
        self._bytes += size

    async def oldest(self) -> Receipt:
        """Return the receipt of the oldest batch. Raises its error."""
        outcome, size = self._waiting.popleft()
        self._bytes -= size
        return await outcome

    async def close(self) -> None:
        """Wait for what was submitted, whatever becomes of it: the stream is answered after its last batch."""
        if self._waiting:
            await asyncio.wait([outcome for outcome, _ in self._waiting])
        for outcome, _ in self._waiting:
            outcome.exception()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._waiting)


def receipt_message(receipt: Receipt, batches: int = 0) -> bytes:
    """Return the receipt as ``zero.v1.IngestReceipt``. Raises RpcFailure, with the receipt, when every entry was rejected."""
    fields = {
        "accepted": receipt.accepted,
        "rejected": receipt.rejected,
        "batch_id": f"{receipt.batch_id:016x}" if receipt.batch_id else "",
        "first_index": receipt.first_index,
        "errors": [{"index": index, "error": reason} for index, reason in receipt.errors],
        "ack": receipt.ack,
        "batches": batches,
        "dead_lettered": receipt.dead_lettered,
    }
    if receipt.rejected and not receipt.accepted:
        reason = receipt.errors[0][1] if receipt.errors else ""
        error = InvalidInput(f"every entry was rejected; the first: {reason}")
        raise RpcFailure(status_of(error, message("zero.v1.IngestReceipt", **fields)))
    return encoded("zero.v1.IngestReceipt", **fields)


def _interrupted(status: RpcStatus, summary: Summary) -> RpcStatus:
    text = f"{status.message} (the first {summary.batches} batches of the stream, {summary.accepted} entries, are acknowledged)"
    counted = ("zero-batches-acknowledged", str(summary.batches))
    return RpcStatus(status.code, text, (*status.metadata, counted))


def _key_of(call: Call, characters: int) -> str | None:
    if not call.has("idempotency-key"):
        return None
    key = checked_key(call.field("idempotency-key"))
    if len(key) > characters:
        raise InvalidInput(f"the idempotency-key of a stream has at most {characters} characters", field="idempotency-key")
    return key


def _ack_of(call: Call) -> Ack | None:
    return parse_ack(call.field("zero-ack")) if call.has("zero-ack") else None
