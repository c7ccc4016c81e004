"""Exports spans by OpenTelemetry's own SDK, over OTLP/HTTP. Imported only where a collector is named.

Where they go and which are taken is the SDK's to read: OTEL_EXPORTER_OTLP_*, OTEL_BSP_*, OTEL_TRACES_SAMPLER,
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES. The provider stays our own: made the process's, other libraries would send spans
through it, and some of theirs quote prompts.
"""

import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from os import getpid
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from monitoring.metrics import spans as metrics
from monitoring.tracing.context import TraceContext
from monitoring.tracing.span import Attribute, ExportSettings, SpanKind

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 3.0
"""What the collector gets to take the last spans in: a process that ends doesn't wait longer for it."""
_NOWHERE = trace.INVALID_SPAN
_KINDS: Final = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
}


class OtlpExporter:
    """See `monitoring.tracing.span.Exporter`."""

    def __init__(self, process: str, settings: ExportSettings) -> None:
        self._sending = _Sending(OTLPSpanExporter())
        self._queue = _Queue(self._sending, settings)
        provider = TracerProvider(resource=_resource(process), shutdown_on_exit=False)
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer("bucatini")

    def begin(self, name: str, kind: SpanKind, parent: TraceContext | None) -> "OtlpSpan":
        # Without a parent it mustn't find one by itself: some library may have left one in the context.
        above = _NOWHERE if parent is None else NonRecordingSpan(_span_context(parent))
        return OtlpSpan(self._tracer.start_span(name, set_span_in_context(above), _KINDS[kind]))

    def close(self) -> None:
        """Sends what waits. Returns within CLOSE_SECONDS, whatever the collector does."""
        sending = threading.Thread(target=self._queue.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)
        if sending.is_alive():
            logger.warning("the collector of traces didn't take the last spans within %.0f s", CLOSE_SECONDS)
            self._sending.shutdown()


class OtlpSpan:
    """See `monitoring.tracing.span.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        made = span.get_span_context()
        self.context = TraceContext(f"{made.trace_id:032x}", f"{made.span_id:016x}", made.trace_flags.sampled)

    def end(self, attributes: Mapping[str, Attribute | None], *, error: str | None, name: str | None = None) -> None:
        span = self._span
        if span.is_recording():
            if name is not None:
                span.update_name(name)
            span.set_attributes({key: value for key, value in attributes.items() if value is not None})
            if error is not None:
                span.set_attribute("error.type", error)
                span.set_status(Status(StatusCode.ERROR))
        span.end()


class _Queue(BatchSpanProcessor):
    """The SDK's, which drops the oldest span without telling anybody. Here the newest one is, and is counted."""

    def __init__(self, sending: "_Sending", settings: ExportSettings) -> None:
        self._max_waiting = settings.otel_bsp_max_queue_size
        max_sent = min(settings.otel_bsp_max_export_batch_size, self._max_waiting)
        super().__init__(sending, max_queue_size=self._max_waiting, max_export_batch_size=max_sent)
        self._sending = sending
        self._put = 0

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._put - self._sending.taken >= self._max_waiting:
            metrics.queue_was_full()
            return
        self._put += 1
        super().on_end(span)


class _Sending(SpanExporter):
    """Counts what is taken from the queue, and what the collector doesn't get."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.taken = 0
        """Written by the queue's thread alone, as `_put` is by the event loop's: neither needs a lock."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            metrics.export_failed(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _span_context(parent: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)


def _resource(process: str) -> Resource:
    ours: dict[str, Attribute] = {
        "service.name": f"bucatini-{process.replace(' ', '-')}",
        "service.namespace": "bucatini",
        "service.version": _version(),
        "service.instance.id": f"{socket.gethostname()}-{getpid()}",
    }
    # `create` would let ours win over what the operator named.
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _version() -> str:
    try:
        return version_of("bucatini")
    except PackageNotFoundError:
        return "0.0.0"
