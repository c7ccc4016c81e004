"""Examples of what is said about models: usage, estimates, providers, and keys of these."""

from datetime import timedelta
from decimal import Decimal

from api.documentation.examples.jobs import NOON
from schemas.ai.providers import (
    AllowanceState,
    BreakerState,
    Latencies,
    ModelStatus,
    ProvidersStatus,
    ProviderState,
    ProviderStatus,
)
from schemas.ai.usage import (
    CostEstimate,
    CredentialState,
    CredentialStates,
    EstimateRequest,
    GroupBy,
    NewCredential,
    UsageReport,
    UsageRow,
)
from schemas.ai.usage_table import table_of

_ROW = UsageRow(
    day=NOON.date(),
    calls=40,
    cached=12,
    failed=1,
    unpriced=0,
    input_tokens=310_000,
    output_tokens=42_000,
    cache_read_tokens=220_000,
    cost_usd=Decimal("0.4312"),
    shadow_usd=Decimal("0.7105"),
)
_CREDENTIAL = CredentialState(provider="openai", hint="x7Qd", updated_at=NOON, updated_by="key k3Yq9ZtR1bXw")
_MODEL = ModelStatus(
    model="claude-sonnet-5-5",
    breaker=BreakerState.CLOSED,
    retry_at=None,
    failures=0,
    last_error="throttle",
    max_input_tokens=1_000_000,
    max_output_tokens=128_000,
    lanes=("batch", "realtime"),
    input_usd_per_million_tokens=Decimal(2),
    output_usd_per_million_tokens=Decimal(10),
    latencies=Latencies(calls=212, p50_ms=2_140.0, p95_ms=5_310.0, p99_ms=8_020.0, first_token_p50_ms=420.0),
)
_PROVIDER = ProviderStatus(
    provider="anthropic",
    state=ProviderState.READY,
    detail="",
    checked_at=NOON,
    check_age_seconds=12.4,
    key="deployment",
    allowances=(AllowanceState(name="requests", limit=4_000, remaining=3_812, resets_at=NOON + timedelta(seconds=3)),),
    models=(_MODEL,),
)
TABLE = table_of((_ROW,), (GroupBy.DAY,))

ANSWERS = (
    UsageReport(
        since=NOON - timedelta(hours=12),
        until=NOON,
        rows=(_ROW,),
        total=_ROW.model_copy(update={"day": None}),
        saved_percent=39.3,
    ),
    ProvidersStatus(providers=(_PROVIDER,)),
    _CREDENTIAL,
    CredentialStates(credentials=(_CREDENTIAL,)),
    CostEstimate(
        model="claude-sonnet-5-5",
        calls=5,
        input_tokens=21_000,
        max_output_tokens=5_000,
        likely_usd=Decimal("0.0641"),
        p95_usd=None,
        max_usd=Decimal("0.217"),
        lane="realtime",
        left_today_usd=Decimal("9.42"),
        left_this_month_usd=None,
        fits=True,
    ),
)
REQUESTS = (
    NewCredential(key="sk-this-is-an-example-and-opens-nothing-x7Qd"),
    EstimateRequest(
        kind="ai.process_document",
        command={"title": "Lease", "text": "The rent is EUR 1,250.00.", "models": ["claude-sonnet-5-5"]},
    ),
)
