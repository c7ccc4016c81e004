"""What is known of the providers and their models."""

from datetime import datetime
from enum import StrEnum

from schemas.ai.model_command import Dollars, ModelName
from schemas.model import Model


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """Nothing is sent until `retry_at`."""
    HALF_OPEN = "half_open"
    """One call at a time is let through, to see."""


class ProviderState(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """A free call failed lately, or some of its models can't be used."""
    UNAVAILABLE = "unavailable"
    WITHOUT_KEY = "without_key"
    """Neither the deployment nor the tenant has a key for it."""


class Latencies(Model):
    """Milliseconds, of the tenant's own calls in the last hour."""

    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    first_token_p50_ms: float | None


class AllowanceState(Model):
    """What is left of a limit that the provider set on the key, as its last answer said."""

    name: str
    """`requests`, `tokens`, `input_tokens` or `output_tokens`, in a minute."""
    limit: int | None
    remaining: int | None
    resets_at: datetime | None


class ModelStatus(Model):
    model: ModelName
    breaker: BreakerState
    retry_at: datetime | None
    """When the breaker lets a call through again."""
    failures: int
    """In a row, towards the five that open it."""
    last_error: str | None
    """The class of the last failed call: throttle, quota, auth, overload, timeout, connection, cut_short, malformed,
    bad_request, content_refused."""
    max_input_tokens: int
    max_output_tokens: int
    lanes: tuple[str, ...]
    input_usd_per_million_tokens: Dollars | None
    """None when nobody knows the price: such a model is used by no job."""
    output_usd_per_million_tokens: Dollars | None
    latencies: Latencies


class ProviderStatus(Model):
    provider: str
    state: ProviderState
    detail: str
    """What is wrong, and what to do; empty when nothing is."""
    checked_at: datetime | None
    """When the last free call was made."""
    check_age_seconds: float | None
    key: str
    """Whose key would be used: `tenant`, `deployment`, `none` or `not_needed`."""
    allowances: tuple[AllowanceState, ...]
    models: tuple[ModelStatus, ...]


class ProvidersStatus(Model):
    """Every provider of the registry."""

    providers: tuple[ProviderStatus, ...]
