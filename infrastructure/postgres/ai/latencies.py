"""How a tenant's calls of models went in the last hour."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection

MAX_ROWS: Final = 20_000
"""Of the ledger: the newest."""

_LATENCIES: Final = f"""
WITH newest AS (
  SELECT provider, model, outcome, total_ms, first_token_ms, created_at FROM ai_service_requests
  WHERE tenant_id = %(tenant_id)s AND created_at > now() - interval '1 hour' AND ended_at IS NOT NULL
    AND outcome NOT IN ('cached', 'shared', 'lost', 'abandoned')
  ORDER BY created_at DESC LIMIT {MAX_ROWS})
SELECT provider, model, count(*),
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY total_ms) FILTER (WHERE outcome = 'succeeded'),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY first_token_ms) FILTER (WHERE outcome = 'succeeded'),
  (array_agg(outcome ORDER BY created_at DESC) FILTER (WHERE outcome <> 'succeeded'))[1]
FROM newest GROUP BY provider, model
"""


@dataclass(frozen=True, slots=True)
class ModelLatencies:
    """Milliseconds of calls that succeeded; None without any, or none that was streamed."""

    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    first_token_p50_ms: float | None
    last_error: str | None
    """The class of the last that failed."""


async def latencies_of(connection: Connection, tenant_id: UUID) -> dict[tuple[str, str], ModelLatencies]:
    """By provider and model."""
    found = await connection.execute(_LATENCIES, {"tenant_id": tenant_id})
    latencies = {}
    for provider, model, calls, percentiles, first_token, last_error in await found.fetchall():
        p50, p95, p99 = percentiles or (None, None, None)
        latencies[provider, model] = ModelLatencies(calls, p50, p95, p99, first_token, last_error)
    return latencies
