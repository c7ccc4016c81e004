"""The metrics as Prometheus reads them."""

import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.http.problems import Refusal
from api.http.request_body import Disconnected
from api.uploads.places import UploadPlaces
from monitoring.metrics import bus as metrics
from monitoring.metrics import extraction as extraction_metrics
from monitoring.metrics import indexing as indexing_metrics
from monitoring.metrics import ingress as ingress_metrics
from monitoring.metrics import models as model_metrics
from monitoring.metrics import outgoing as outgoing_metrics
from monitoring.metrics import relevance as relevance_metrics
from monitoring.metrics import searches as search_metrics
from monitoring.metrics import uploads as upload_metrics
from monitoring.metrics.batch_histogram import BatchHistogram
from monitoring.metrics.label_limits import LimitedLabel
from monitoring.metrics.registry import registry
from schemas.jobs import JobState

MONITORING = Path(__file__).parents[3] / "monitoring"
OURS = re.compile(r"\b(?:bucatini|gen_ai_client)_[a-z_]+")
CENT = Decimal("0.01")
BUCKETS = (0.001, 0.05, 1, 2.5)


def test_a_settled_job_counts_once_with_its_kind_its_state_and_its_time() -> None:
    counted = _difference(lambda: _settle("test.settle", JobState.SUCCEEDED, 0.3))

    assert counted["bucatini_jobs_settled_total", "kind=test.settle,state=succeeded"] == 1
    assert counted["bucatini_job_run_seconds_count", "kind=test.settle"] == 1
    assert counted["bucatini_job_run_seconds_sum", "kind=test.settle"] == pytest.approx(0.3)
    assert counted["bucatini_job_run_seconds_bucket", "kind=test.settle,le=0.5"] == 1
    assert ("bucatini_job_run_seconds_bucket", "kind=test.settle,le=0.25") not in counted


def test_an_extraction_counts_by_its_format_and_its_outcome() -> None:
    counted = _difference(lambda: extraction_metrics.extraction_ended("pdf", "no-text-layer", 0.3))

    assert counted["bucatini_extraction_seconds_count", "format=pdf,outcome=no-text-layer"] == 1
    assert counted["bucatini_extraction_seconds_sum", "format=pdf,outcome=no-text-layer"] == pytest.approx(0.3)


def test_a_call_of_a_model_counts_with_its_tokens_and_its_cost_if_that_is_known() -> None:
    def happen() -> None:
        model_metrics.call_ended("openai", "m", "", 0.3, input_tokens=9, output_tokens=2, dollars=CENT)
        model_metrics.call_ended("openai", "m", "timeout", 60.0)

    before = _series()
    counted = _difference(happen)
    assert counted["bucatini_model_cost_dollars_total", "model=m,provider=openai"] == pytest.approx(0.01)
    assert counted["bucatini_model_calls_unpriced_total", "model=m,provider=openai"] == 1
    labels = "gen_ai_operation_name=chat,gen_ai_provider_name=openai,gen_ai_request_model=m"
    now = _series()
    for error in ("", "timeout"):
        name = "gen_ai_client_operation_duration_seconds_count", f"error_type={error},{labels}"
        assert now[name] - before.get(name, 0) == 1
    assert now["gen_ai_client_token_usage_tokens_sum", f"{labels},gen_ai_token_type=input"] == 9


def test_an_upload_counts_while_it_arrives_and_then_by_how_it_ended() -> None:
    places, tenant = UploadPlaces(in_all=1, per_tenant=1), uuid4()

    def upload() -> None:
        with suppress(Refusal), places.one_more(tenant):
            assert _under_way() == 1
            with places.one_more(tenant):
                raise AssertionError("there was no place left")
        with suppress(Disconnected), places.one_more(tenant):
            raise Disconnected
        with places.one_more(tenant):
            upload_metrics.originals_stored(1_000)

    counted = _difference(upload)
    assert counted["bucatini_uploads_total", "outcome=received"] == 1
    assert counted["bucatini_uploads_total", "outcome=disconnected"] == 1
    # Once of the upload that found no place, and once of the one around it, which ended with that.
    assert counted["bucatini_uploads_total", "outcome=too-many-uploads"] == 2
    assert counted["bucatini_documents_stored_bytes_total", ""] == 1_000
    assert _under_way() == 0


def _under_way() -> float:
    return registry.get_sample_value("bucatini_uploads_under_way") or 0.0


def test_a_batch_counts_as_its_jobs_would_one_by_one() -> None:
    def one_by_one() -> None:
        for seconds in (0.1, 0.2, 7.0):
            _settle("test.batch", JobState.FAILED, seconds)

    def together() -> None:
        metrics.jobs_settled("test.batch", JobState.FAILED, 3)
        metrics.jobs_ran("test.batch", [0.1, 0.2, 7.0])

    assert _difference(together) == pytest.approx(_difference(one_by_one))


@pytest.mark.parametrize(
    ("record", "series", "labels"),
    [
        (lambda: metrics.jobs_submitted("test.kind", 5), "bucatini_jobs_submitted_total", "kind=test.kind"),
        (lambda: metrics.jobs_claimed("ai", 5), "bucatini_jobs_claimed_total", "queue=ai"),
        (lambda: metrics.picked_up("test.kind", [0.1] * 5), "bucatini_job_pickup_seconds_count", "kind=test.kind"),
        (lambda: metrics.jobs_retried("unavailable", 5), "bucatini_jobs_retried_total", "problem=unavailable"),
        (lambda: metrics.settles_discarded(5), "bucatini_settles_discarded_total", ""),
        (lambda: metrics.leases_lost(5), "bucatini_leases_lost_total", ""),
        (lambda: metrics.doorbells_rung(5), "bucatini_doorbells_total", "outcome=rung"),
        (lambda: metrics.doorbells_failed(5), "bucatini_doorbells_total", "outcome=failed"),
        (lambda: metrics.batch_sent(metrics.Path.CLAIM, 5), "bucatini_batch_jobs_sum", "lane=claim"),
        (lambda: ingress_metrics.events_delivered(5), "bucatini_events_delivered_total", ""),
    ],
)
def test_what_happened_is_what_is_counted(record: Callable[[], None], series: str, labels: str) -> None:
    assert _difference(record)[series, labels] == 5


def test_each_single_happening_counts_one() -> None:
    def happen() -> None:
        metrics.swept()
        ingress_metrics.subscriber_fell_behind()
        metrics.connection_lost(metrics.Server.REDIS)
        with ingress_metrics.socket_open(), ingress_metrics.socket_subscription():
            pass
        ingress_metrics.request_limited("key")
        metrics.loop_lagged(0.02)

    counted = _difference(happen)

    assert counted["bucatini_sweeps_total", ""] == 1
    assert counted["bucatini_requests_limited_total", "limited=key"] == 1
    assert counted["bucatini_subscribers_fell_behind_total", ""] == 1
    assert counted["bucatini_connections_lost_total", "server=redis"] == 1
    assert counted["bucatini_loop_lag_seconds_count", ""] == 1


def test_the_dispatchers_gauges_say_what_it_saw_last() -> None:
    metrics.queue_seen("ai", depth=9, oldest_seconds=4.5)
    metrics.queue_seen("ai", depth=0, oldest_seconds=0)
    metrics.workers_seen(3)

    now = _series()
    assert now["bucatini_queue_depth", "queue=ai"] == 0
    assert now["bucatini_queue_oldest_seconds", "queue=ai"] == 0
    assert now["bucatini_workers_alive", ""] == 3


def test_a_subscriber_counts_for_as_long_as_its_stream_is_open() -> None:
    with ingress_metrics.sse_subscriber(), ingress_metrics.sse_subscriber():
        assert _series()["bucatini_sse_subscribers", ""] == 2
    with pytest.raises(ConnectionError), ingress_metrics.sse_subscriber():
        raise ConnectionError
    assert _series()["bucatini_sse_subscribers", ""] == 0


def test_a_request_counts_by_its_routes_pattern() -> None:
    counted = _difference(
        lambda: ingress_metrics.http_answered(route="/api/jobs/{id}", method="GET", status=200, seconds=0.002)
    )

    assert counted["bucatini_http_requests_total", "method=GET,route=/api/jobs/{id},status=200"] == 1
    assert counted["bucatini_http_request_seconds_count", "method=GET,route=/api/jobs/{id}"] == 1


def test_a_client_that_makes_up_methods_and_routes_makes_no_series_without_end() -> None:
    before = len(_series())
    for number in range(5_000):
        ingress_metrics.http_answered(route=f"/made/up/{number}", method=f"M{number}", status=404, seconds=0.001)
    first = len(_series())
    for number in range(5_000):
        ingress_metrics.http_answered(route=f"/more/{number}", method=f"N{number}", status=404, seconds=0.001)

    assert first - before < 200 * 20
    assert len(_series()) == first


def test_what_exceeds_the_limit_of_a_label_is_counted_as_other() -> None:
    values = LimitedLabel(2)

    assert [values(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", "other", "a", "other"]


def test_no_label_names_a_tenant_a_job_or_a_worker() -> None:
    _touch_every_metric()
    labels = {pair.partition("=")[0] for _, pairs in _series() for pair in pairs.split(",") if pair}

    assert labels <= {
        *("kind", "format", "state", "queue", "problem", "outcome", "lane", "quota"),
        *("server", "route", "method", "status", "limited", "reason", "part", "loop", "le"),
        *("provider", "model", "dimension", "purpose", "cache", "scope", "engine", "percent", "error_type"),
        *("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"),
        *("generation", "implementation", "major", "minor", "patchlevel", "version"),
    }


@pytest.mark.parametrize(
    "file", ["prometheus/alerts.yml", "prometheus/alerts_test.yml", "grafana/dashboards/bucatini.json"]
)
def test_every_series_that_an_operators_file_reads_is_served(file: str) -> None:
    _touch_every_metric()
    served = {name for name, _ in _series()}

    read = set(OURS.findall((MONITORING / file).read_text()))
    assert read
    assert read - served == set()


@settings(deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=10) | st.sampled_from(BUCKETS)))
def test_a_batch_histogram_says_what_the_librarys_own_would(observations: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("seconds", "How long", "kind", BUCKETS, ours)
    single = Histogram("seconds", "How long", ["kind"], buckets=BUCKETS, registry=theirs)

    batch.observe("a", observations)
    for observation in observations:
        single.labels("a").observe(observation)

    if observations:
        assert _read(generate_latest(ours)) == pytest.approx(_read(generate_latest(theirs)))


def _touch_every_metric() -> None:
    metrics.part_found("postgres", ok=True)
    metrics.jobs_submitted("test.kind")
    metrics.jobs_claimed("ai")
    metrics.picked_up("test.kind", [0.1])
    _settle("test.kind", JobState.DEAD, 0.1)
    metrics.jobs_retried("unavailable")
    metrics.queue_seen("ai", depth=1, oldest_seconds=1)
    metrics.withheld_seen(capped=1, held=1)
    metrics.batch_sent(metrics.Path.SUBMIT, 1)
    ingress_metrics.http_answered(route="/healthz", method="GET", status=200, seconds=0.001)
    outgoing_metrics.webhook_answered("again", 0.1)
    outgoing_metrics.webhooks_lagged(1)
    outgoing_metrics.group_events_given(1, 1)
    outgoing_metrics.group_events_acknowledged(1)
    model_metrics.call_ended(
        "openai", "a", "", 0.3, input_tokens=9, output_tokens=2, first_token_seconds=0.1, dollars=CENT
    )
    model_metrics.breaker_seen("openai", "a", "open")
    model_metrics.failed_over("a", "overload")
    model_metrics.throttled("openai", "requests")
    model_metrics.answered("section", "hit")
    model_metrics.budget_reached("day", 50)
    model_metrics.provider_found("openai", ok=True)
    relevance_metrics.looked_for("tantivy", [1.0])
    search_metrics.searched("found", 0.1)
    indexing_metrics.documents_ended(indexing_metrics.Outcome.INDEXED)


def _difference(happen: Callable[[], None]) -> dict[tuple[str, str], float]:
    """The series of ours that changed, and by how much."""
    before = _series()
    happen()
    now = _series()
    changed = {key: value - before.get(key, 0) for key, value in now.items() if key[0].startswith("bucatini_")}
    return {key: value for key, value in changed.items() if value}


def _series() -> dict[tuple[str, str], float]:
    body, content_type = metrics.render_metrics()
    assert content_type.startswith("text/plain")
    return _read(body)


def _read(body: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def _settle(kind: str, state: JobState, seconds: float) -> None:
    metrics.jobs_settled(kind, state, 1)
    metrics.jobs_ran(kind, (seconds,))
