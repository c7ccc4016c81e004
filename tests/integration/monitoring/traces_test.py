"""With OpenTelemetry's own variables set, a collector gets a trace of what a request caused, and nothing of what it said."""

import socket
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.local_stack.supervisor.processes import Running
from tests.collector import Collected, Collector
from tests.integration.ai.generation.writers import HEADINGS, Writers, report
from tests.integration.readiness import metrics
from tests.simulated_providers import SimulatedProviders
from tests.system import System
from tests.tenancy import make_key_of
from tests.waiting import GUARD_SECONDS, wait_until

CHAT = "chat gpt-6-luna"
RUN = "process ai.generate_document"
REQUEST = "POST /api/ai/generate-document"
SECRET = "the-crane-nobody-may-know-of"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = f"{CALLER[:-2]}00"


@pytest.fixture
def writers(system: System) -> Iterator[Writers]:
    with SimulatedProviders() as simulator:
        yield Writers(system, simulator, SecretStr(f"sk-test-{uuid4().hex}"))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def test_one_trace_has_the_request_the_job_and_its_calls_of_a_model(
    system: System, writers: Writers, collector: Collector
) -> None:
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    url, key = _ingress(system, **named)
    system.start("workers.runtime", "ai", **writers.environment(), **named)

    job_id = _submitted(url, key, CALLER, facts={**report().facts, "project": SECRET})
    writers.result(job_id)

    (request,) = wait_until(lambda: collector.named(REQUEST), "the request's span is there")
    (run,) = wait_until(lambda: collector.named(RUN), "the run's span is there")
    calls = wait_until(lambda: _all_calls(collector), "a span for each section is there")
    assert (request.service, request.kind, request.parent_id) == ("bucatini-api", "server", CALLER.split("-")[2])
    assert (run.service, run.kind, run.parent_id) == ("bucatini-worker-ai", "consumer", request.span_id)
    assert {(one.kind, one.parent_id) for one in calls} == {("client", run.span_id)}
    assert {one.trace_id for one in (request, run, *calls)} == {CALLER.split("-")[1]}
    assert request.attributes["http.response.status_code"] == 202
    assert run.attributes["messaging.message.id"] == str(job_id)
    assert (run.attributes["bucatini.job.attempt"], run.attributes["bucatini.job.outcome"]) == (1, "done")
    charged = writers.attempts()
    for name in ("input_tokens", "output_tokens"):
        spans = sorted(one.attributes[f"gen_ai.usage.{name}"] for one in calls)
        assert spans == sorted(one[name] for one in charged), "as the provider counts them"
    first = calls[0].attributes
    assert first["gen_ai.operation.name"] == "chat"
    assert first["gen_ai.provider.name"] == "openai"
    assert first["gen_ai.request.model"] == "gpt-6-luna"
    assert first["gen_ai.response.model"].startswith("gpt-6-luna")
    assert first["gen_ai.response.finish_reasons"] == ["stop"]
    _assert_nothing_is_told(collector, writers.key.get_secret_value(), key, SECRET, HEADINGS[1])


def test_a_call_that_failed_is_a_span_of_its_own_with_its_class_of_error(
    system: System, writers: Writers, collector: Collector
) -> None:
    named = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    system.start("workers.runtime", "ai", **writers.environment("gpt-6-luna", "claude-sonnet-5-5"), **named)
    writers.simulator.fault(writers.key, "overload")

    (job_id,) = system.submit(report())
    writers.result(job_id)

    wait_until(lambda: collector.named(RUN), "the run's span is there")
    (failed,) = [one for one in collector.spans if one.failed]
    assert failed.name == CHAT
    assert failed.attributes["error.type"] == "overload"
    assert "gen_ai.response.model" not in failed.attributes
    (other,) = collector.named("chat claude-sonnet-5-5")
    assert other.attributes["gen_ai.provider.name"] == "anthropic"
    assert other.trace_id == failed.trace_id, "a job without a request has a trace of its own"


def test_what_its_caller_does_not_sample_is_not_exported(
    system: System, writers: Writers, collector: Collector
) -> None:
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    url, key = _ingress(system, **named)
    system.start("workers.runtime", "ai", **writers.environment(), **named)

    writers.result(_submitted(url, key, UNSAMPLED))
    writers.result(_submitted(url, key, CALLER, title="Another"))

    wait_until(lambda: collector.named(RUN), "the second run's span is there")
    assert len(collector.named(RUN)) == 1
    assert len(collector.named(REQUEST)) == 1


@pytest.mark.parametrize("away", ["silent", "refusing"])
def test_a_collector_that_is_away_costs_spans_and_nothing_else(system: System, writers: Writers, away: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Collector(refusing=True) as refusing:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}" if away == "silent" else refusing.url
        worker = system.start(
            "workers.runtime",
            "ai",
            **writers.environment(),
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
            OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_BSP_MAX_QUEUE_SIZE="2",
        )

        (job_id,) = system.submit(report())
        writers.result(job_id)

        wait_until(lambda: _dropped(worker), "spans are counted as dropped")
        worker.ask_to_end()
        worker.await_end(within_seconds=GUARD_SECONDS)


def _ingress(system: System, **environment: str) -> tuple[str, str]:
    port = free_port()
    system.start("api", API_PORT=str(port), **environment)
    return f"http://127.0.0.1:{port}", make_key_of(system.settings.database, system.tenant_id, ()).key


def _submitted(url: str, key: str, traceparent: str, **fields: Any) -> UUID:
    body = report(**fields).model_dump(mode="json", exclude_none=True)
    headers = {"authorization": f"Bearer {key}", "traceparent": traceparent}
    answer = httpx.post(f"{url}/api/ai/generate-document", json=body, headers=headers, trust_env=False)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"])


def _all_calls(collector: Collector) -> list[Collected]:
    calls = collector.named(CHAT)
    return calls if len(calls) == len(HEADINGS) else []


def _assert_nothing_is_told(collector: Collector, *secrets: str) -> None:
    for secret in secrets:
        assert not any(secret.encode() in body for body in collector.received), "spans have no contents and no keys"


def _dropped(worker: Running) -> float:
    lines = [one for one in metrics(worker).splitlines() if one.startswith("bucatini_spans_dropped_total{")]
    return sum(float(one.rpartition(" ")[2]) for one in lines)
