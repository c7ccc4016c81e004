"""The metrics of models' calls, named by OpenTelemetry's conventions for generative AI as Prometheus spells them. The rules
are those of `monitoring.metrics.bus`."""

from decimal import Decimal
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from monitoring.metrics.label_limits import LimitedLabel
from monitoring.metrics.registry import registry

# The conventions' own boundaries.
_SECONDS: Final = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
    163.84,
    655.36,
)
_FIRST_TOKEN: Final = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
_TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
GATES: Final = {"closed": 0, "half_open": 1, "open": 2}

_providers, _models, _errors = LimitedLabel(50), LimitedLabel(200), LimitedLabel(50)
_purposes = LimitedLabel(20)

_duration = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "Calls of models, from their start to their end; `error_type` is empty for those that succeeded",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
    buckets=_SECONDS,
    registry=registry,
)
_tokens = Histogram(
    "gen_ai_client_token_usage_tokens",
    "Tokens of each call whose usage is known",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
    buckets=_TOKENS,
    registry=registry,
)
_first_token = Histogram(
    "gen_ai_client_operation_time_to_first_chunk_seconds",
    "From a streamed call's start to its first text",
    ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"],
    buckets=_FIRST_TOKEN,
    registry=registry,
)
_cost = Counter(
    "bucatini_model_cost_dollars",
    "What calls of models cost, as far as it is known",
    ["provider", "model"],
    registry=registry,
)
_unpriced = Counter(
    "bucatini_model_calls_unpriced",
    "Calls that cost something which nobody knows",
    ["provider", "model"],
    registry=registry,
)
_breaker = Gauge(
    "bucatini_model_breaker_state",
    "A model's circuit breaker as this process knows it: 0 closed, 1 half open, 2 open",
    ["provider", "model"],
    registry=registry,
)
_failovers = Counter(
    "bucatini_model_failovers",
    "Calls that went to another model, by the one that failed or couldn't be used and why",
    ["model", "reason"],
    registry=registry,
)
_throttled = Counter(
    "bucatini_model_calls_throttled",
    "Looks at a key's limits that found no room",
    ["provider", "dimension"],
    registry=registry,
)
_answers = Counter(
    "bucatini_model_answers", "Answers of models by where they came from", ["purpose", "cache"], registry=registry
)
_budgets = Counter(
    "bucatini_ai_budgets_reached",
    "Parts of budgets that tenants and jobs have reached",
    ["scope", "percent"],
    registry=registry,
)
_provider_ok = Gauge(
    "bucatini_provider_ok", "1 while a free call of the provider succeeds, else 0", ["provider"], registry=registry
)

CHAT: Final = "chat"

# A series that has never counted is absent, and an alert on its increase would miss the first time it counts.
for _scope in ("day", "month", "job"):
    for _percent in ("50", "80", "100"):
        _budgets.labels(_scope, _percent)


def call_ended(
    provider: str,
    model: str,
    error: str,
    seconds: float,
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    first_token_seconds: float | None = None,
    dollars: Decimal | None = None,
) -> None:
    """Observes one call of a provider. `error` is the class of its error, empty if it succeeded; without `dollars` nobody knows
    what it cost."""
    labels = (CHAT, _providers(provider), _models(model))
    _duration.labels(*labels, _errors(error)).observe(seconds)
    for kind, tokens in (("input", input_tokens), ("output", output_tokens)):
        if tokens is not None:
            _tokens.labels(*labels, kind).observe(tokens)
    if first_token_seconds is not None:
        _first_token.labels(*labels).observe(first_token_seconds)
    unpriced = _unpriced.labels(*labels[1:])
    if dollars is None:
        unpriced.inc()
    else:
        _cost.labels(*labels[1:]).inc(float(dollars))


def breaker_seen(provider: str, model: str, gate: str) -> None:
    """Sets a model's breaker: `closed`, `half_open` or `open`."""
    _breaker.labels(_providers(provider), _models(model)).set(GATES[gate])


def failed_over(model: str, reason: str) -> None:
    """Counts a call that left this model for another; `reason` is the class of an error, or `breaker_open`."""
    _failovers.labels(_models(model), _errors(reason)).inc()


def throttled(provider: str, dimension: str) -> None:
    """Counts a look at a key's limits that found no room, by what there was too little of."""
    _throttled.labels(_providers(provider), dimension).inc()


def answered(purpose: str, cache: str) -> None:
    """Counts an answer that a job was given: `miss`, `hit`, `shared` with a concurrent call, or `paid` by an earlier run."""
    _answers.labels(_purposes(purpose), cache).inc()


def budget_reached(scope: str, percent: int) -> None:
    """Counts a part of a budget that was reached."""
    _budgets.labels(scope, str(percent)).inc()


def provider_found(provider: str, *, ok: bool) -> None:
    """Sets whether the last free call of the provider succeeded."""
    _provider_ok.labels(_providers(provider)).set(ok)
