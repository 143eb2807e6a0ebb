"""Ingest with traces: each traced request is a span, and the append that carries it another."""

from collections.abc import Sequence

from zero.application.framing import Parcel
from zero.application.ingest import Ingest, IngestOptions
from zero.application.ports import Append, Buffer, Clock, Codec, Telemetry, Tracer
from zero.application.ports.tracing import Span
from zero.application.receipt import Receipt
from zero.application.submission import Submission, Waiter
from zero.domain.errors import ZeroError


class TracedIngest(Ingest):
    """Asks for each request whether it is to be traced; those that are not go the usual way."""

    def __init__(
        self,
        tracer: Tracer,
        codec: Codec,
        buffer: Buffer,
        clock: Clock,
        telemetry: Telemetry,
        options: IngestOptions | None = None,
    ) -> None:
        super().__init__(codec, buffer, clock, telemetry, options)
        self._tracer = tracer

    def accept(self, submission: Submission) -> None:
        """Take one request. Its waiter is told the outcome, perhaps before this returns."""
        span = self._tracer.begin("ingest", submission.trace, serves=True)
        if span is not None:
            span.note("zero.body_bytes", len(submission.body))
            submission.span = span
            submission.waiter = _TracedWaiter(submission.waiter, span)
        super().accept(submission)

    async def _append(self, packed: Sequence[tuple[Parcel, Append]], started: float) -> ZeroError | None:
        """Append: one flush carries many requests, so the span belongs to the first and is linked to the others."""
        spans = [one.span for parcel, _ in packed for one, _ in parcel.members if one.span is not None]
        if not spans:
            return await super()._append(packed, started)
        appending = spans[0].child("append", links=[span.traceparent for span in spans[1:]])
        appending.note("zero.frames", len(packed))
        appending.note("zero.entries", sum(parcel.count for parcel, _ in packed))
        refusal: ZeroError | None = None
        try:
            refusal = await super()._append(packed, started)
        finally:
            appending.end(refusal.code if refusal else "")
        return refusal


class _TracedWaiter:
    """Ends the span when the outcome is told."""

    __slots__ = ("_span", "_waiter")

    def __init__(self, waiter: Waiter, span: Span) -> None:
        self._waiter = waiter
        self._span = span

    def settled(self, receipt: Receipt) -> None:
        """Pass the receipt on."""
        self._span.note("zero.accepted", receipt.accepted)
        self._span.note("zero.rejected", receipt.rejected)
        self._waiter.settled(receipt)
        self._span.end()

    def failed(self, error: ZeroError) -> None:
        """Pass the reason on."""
        self._waiter.failed(error)
        self._span.end(error.code)
