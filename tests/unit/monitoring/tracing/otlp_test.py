"""Spans wait for a collector in a bounded queue, and end with the process however the collector is."""

import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from monitoring.metrics.registry import registry
from monitoring.tracing import otlp, spans
from monitoring.tracing.context import TraceContext, parse_traceparent, start_trace
from monitoring.tracing.span import Span, SpanKind
from tests.collector import Collector
from tests.waiting import GUARD_SECONDS, wait_until

MAX_WAITING = 4
SETTINGS = SimpleNamespace(exports_traces=True, otel_bsp_max_queue_size=MAX_WAITING, otel_bsp_max_export_batch_size=512)
OFF = SimpleNamespace(exports_traces=False, otel_bsp_max_queue_size=1, otel_bsp_max_export_batch_size=1)


class Stuck(SpanExporter):
    """A way to a collector that takes spans and doesn't come back until it is let go, or is shut down."""

    def __init__(self) -> None:
        self.entered, self.let_go = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.let_go.wait(GUARD_SECONDS)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.let_go.set()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield running


def test_nothing_begins_where_no_collector_is_named() -> None:
    with spans.exporting("test", OFF):
        assert spans.begin("GET", SpanKind.SERVER, None) is None


def test_the_last_spans_are_sent_when_the_process_ends(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    parent = start_trace()
    with spans.exporting("test", SETTINGS):
        span = _begun("GET", parent)
        span.end({"http.route": "/api/jobs", "left.out": None}, error="503", name="GET /api/jobs")

    (sent,) = collector.spans
    assert (sent.name, sent.service, sent.failed) == ("GET /api/jobs", "bucatini-test", True)
    assert (sent.trace_id, sent.parent_id, sent.span_id) == (parent.trace_id, parent.span_id, span.context.span_id)
    assert sent.attributes == {"http.route": "/api/jobs", "error.type": "503"}


def test_the_operators_names_go_before_ours(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pasta")
    with spans.exporting("test", SETTINGS):
        _begun("GET", None).end({}, error=None)

    assert [one.service for one in collector.spans] == ["pasta"]


def test_the_sampler_that_the_operator_names_decides_and_its_answer_goes_on(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with spans.exporting("test", SETTINGS):
        span = _begun("GET", None)
        span.end({}, error=None)

    assert parse_traceparent(span.context.traceparent) == span.context
    assert not span.context.sampled
    assert collector.spans == []


def test_what_the_queue_has_no_room_for_is_dropped_and_counted(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = Stuck()
    monkeypatch.setattr(otlp, "OTLPSpanExporter", lambda: stuck)
    before = _dropped("queue_full")
    with spans.exporting("test", SETTINGS):
        _begun("first", None).end({}, error=None)
        wait_until(stuck.entered.is_set, "the first is on its way")
        for _ in range(MAX_WAITING + 3):
            _begun("next", None).end({}, error=None)

        assert _dropped("queue_full") - before == 3
        stuck.let_go.set()


def test_what_the_collector_refuses_is_counted(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    collector.refusing = True
    before = _dropped("export_failed")
    with spans.exporting("test", SETTINGS):
        _begun("GET", None).end({}, error=None)
        wait_until(lambda: _dropped("export_failed") - before, "it is counted")


def test_a_process_ends_though_its_collector_never_answers(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = Stuck()
    monkeypatch.setattr(otlp, "OTLPSpanExporter", lambda: stuck)
    monkeypatch.setattr(otlp, "CLOSE_SECONDS", 0.01)
    with spans.exporting("test", SETTINGS):
        _begun("GET", None).end({}, error=None)

    assert stuck.let_go.is_set(), "the way to the collector was shut down, not waited for"


def _begun(name: str, parent: TraceContext | None) -> Span:
    span = spans.begin(name, SpanKind.SERVER, parent)
    assert span is not None, "spans are exported here"
    return span


def _dropped(reason: str) -> float:
    return registry.get_sample_value("bucatini_spans_dropped_total", {"reason": reason}) or 0.0
