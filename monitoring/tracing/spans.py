"""Spans, where the process exports them: `begin` gives None everywhere else, which is all that this costs there.

    span = begin("process ai", SpanKind.CONSUMER, parent)
    …
    if span is not None:
        span.end({"bucatini.job.kind": kind}, error=None)

A span has ids, names, numbers and outcomes. Nobody puts what somebody wrote into one: whoever runs the collector isn't
whoever may read the tenants' documents.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from monitoring.tracing.context import TraceContext
from monitoring.tracing.span import Exporter, ExportSettings, Span, SpanKind

_exporter: Exporter | None = None


@contextmanager
def exporting(process: str, settings: ExportSettings) -> Iterator[None]:
    """Within the block, this process's spans go to the collector that OpenTelemetry's own variables name, if they name one.
    What it doesn't take within seconds of the block's end is lost."""
    if not settings.exports_traces:
        yield
        return
    from monitoring.tracing.otlp import OtlpExporter

    global _exporter  # noqa: PLW0603  # One of the process, as its metrics and its logs are.
    _exporter = exporter = OtlpExporter(process, settings)
    try:
        yield
    finally:
        _exporter = None
        exporter.close()


def begin(name: str, kind: SpanKind, parent: TraceContext | None) -> Span | None:
    """A span that begins now, in its parent's trace or in one of its own; None where none are exported."""
    return None if _exporter is None else _exporter.begin(name, kind, parent)
