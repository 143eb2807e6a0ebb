"""Traces through the SDK of OpenTelemetry, exported as OTLP over HTTP. Needs ``zero-logs[otel]``."""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from zero.application.ports import Telemetry
from zero.application.ports.tracing import Span
from zero.application.trace_events import SpansExported, SpansLost

_PATH = "/v1/traces"
_HEADER = "traceparent"
_TRACEPARENT_CHARACTERS = 55  # W3C Trace Context, version 00
_SAMPLED_DIGITS = "13579bdfBDF"  # the last digit of the flags: bit 0 says that the caller samples the trace
_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class TracingOptions:
    """Of the requests whose caller has not decided, ``traces_per_thousand`` are sampled; of all ``traces_per_second_max``.

    Spans that the collector does not take are kept up to ``queue_spans_max``, then dropped.
    """

    url: str
    role: str
    traces_per_thousand: int = 10
    traces_per_second_max: int = 100
    queue_spans_max: int = 4_096
    batch_spans_max: int = 512
    delay_seconds: float = 1.0
    export_timeout_seconds: float = 5.0
    stop_seconds_max: float = 2.0


class OtelTracer:
    """Decides at the beginning of each trace, in a microsecond or two; spans are sent by a thread of the SDK."""

    def __init__(self, options: TracingOptions, telemetry: Telemetry) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its failures are events of ours
        self._options = options
        endpoint = options.url.rstrip("/")
        endpoint = endpoint if endpoint.endswith(_PATH) else endpoint + _PATH
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=options.export_timeout_seconds)
        resource = Resource.create({"service.name": f"zero-{options.role}", "service.namespace": "zero"})
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(
            _Told(exporter, telemetry),
            max_queue_size=options.queue_spans_max,
            max_export_batch_size=options.batch_spans_max,
            schedule_delay_millis=options.delay_seconds * 1000,
            export_timeout_millis=options.export_timeout_seconds * 1000,
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("zero")
        self._share = options.traces_per_thousand / 1000
        self._second = self._begun = 0

    def begin(self, name: str, traceparent: str = "", start_ns: int | None = None, *, serves: bool = False) -> Span | None:
        """Begin a span; None when it is not sampled. A caller's own decision holds, within the bound of traces a second."""
        if len(traceparent) == _TRACEPARENT_CHARACTERS:
            if traceparent[-1] not in _SAMPLED_DIGITS:
                return None
        elif random.random() >= self._share:  # noqa: S311 - a sample, not a secret
            return None
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._begun = second, 0
        self._begun += 1
        if self._begun > self._options.traces_per_second_max:
            return None
        context = _propagator.extract({_HEADER: traceparent})
        kind = trace.SpanKind.SERVER if serves else trace.SpanKind.INTERNAL
        return _OtelSpan(self._tracer, self._tracer.start_span(name, context, kind, start_time=start_ns))

    async def close(self) -> None:
        """Send what waits, for a bounded time: a collector that does not answer holds nobody up."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, self._options.stop_seconds_max)


class _OtelSpan:
    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(self._span))
        return carrier[_HEADER]

    def child(self, name: str, start_ns: int | None = None, links: Sequence[str] = ()) -> Span:
        linked = [trace.Link(_named(traceparent)) for traceparent in links]
        context = trace.set_span_in_context(self._span)
        return _OtelSpan(self._tracer, self._tracer.start_span(name, context, links=linked, start_time=start_ns))

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def end(self, error: str = "", end_ns: int | None = None) -> None:
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end(end_ns)


def _named(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_propagator.extract({_HEADER: traceparent})).get_span_context()


class _Told(SpanExporter):
    """Says what became of the spans."""

    def __init__(self, exporter: SpanExporter, telemetry: Telemetry) -> None:
        self._exporter = exporter
        self._telemetry = telemetry

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._telemetry.emit(SpansExported(len(spans)))
        else:
            self._telemetry.emit(SpansLost(len(spans)))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
