"""What a tenant's jobs of a kind cost lately."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from infrastructure.postgres.session import Connection

DAYS: Final = 30
MIN_JOBS: Final = 20
MAX_ROWS: Final = 20_000
"""Of the ledger: the newest."""

# Jobs of which some attempt's cost is unknown say too little, and are left out.
_COSTS: Final = f"""
WITH newest AS (
  SELECT job_id, cost_usd FROM ai_service_requests
  WHERE tenant_id = %(tenant_id)s AND created_at > now() - interval '{DAYS} days' AND kind = %(kind)s AND model = %(model)s
    AND job_id IS NOT NULL AND ended_at IS NOT NULL
  ORDER BY created_at DESC LIMIT {MAX_ROWS}),
by_job AS (SELECT sum(cost_usd) AS dollars FROM newest GROUP BY job_id HAVING bool_and(cost_usd IS NOT NULL))
SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY dollars), percentile_disc(0.95) WITHIN GROUP (ORDER BY dollars)
FROM by_job
"""


@dataclass(frozen=True, slots=True)
class JobCosts:
    jobs: int
    p50: Decimal
    p95: Decimal


async def costs_of(connection: Connection, tenant_id: UUID, kind: str, model: str) -> JobCosts | None:
    """None with fewer than MIN_JOBS of such jobs."""
    wanted = {"tenant_id": tenant_id, "kind": kind, "model": model}
    row = await (await connection.execute(_COSTS, wanted)).fetchone()
    assert row is not None, "an aggregate is one row"
    return JobCosts(*row) if row[0] >= MIN_JOBS else None
