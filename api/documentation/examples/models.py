"""Examples of what is said about models: usage, and keys of providers."""

from datetime import timedelta
from decimal import Decimal

from api.documentation.examples.jobs import NOON
from schemas.ai.usage import CredentialState, CredentialStates, GroupBy, NewCredential, UsageReport, UsageRow
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
TABLE = table_of((_ROW,), (GroupBy.DAY,))

ANSWERS = (
    UsageReport(
        since=NOON - timedelta(hours=12),
        until=NOON,
        rows=(_ROW,),
        total=_ROW.model_copy(update={"day": None}),
        saved_percent=39.3,
    ),
    _CREDENTIAL,
    CredentialStates(credentials=(_CREDENTIAL,)),
)
REQUESTS = (NewCredential(key="sk-this-is-an-example-and-opens-nothing-x7Qd"),)
