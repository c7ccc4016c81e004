"""Tenant limits, set by an operator in the system's role: jobs in flight, and weight in the fair scheduler."""

from collections.abc import Mapping
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE
from infrastructure.postgres.session import Connection
from schemas.holds import TenantLimits
from schemas.jobs import LIMIT

MAX_WEIGHTS = 10_000

_SET = """
INSERT INTO tenant_limits (tenant_id, most_in_flight, weight) VALUES (%(tenant_id)s, %(most_in_flight)s, %(weight)s)
ON CONFLICT (tenant_id) DO UPDATE SET most_in_flight = excluded.most_in_flight, weight = excluded.weight
"""
_WEIGHTS = f"SELECT tenant_id, weight FROM tenant_limits WHERE weight <> 1 ORDER BY tenant_id LIMIT {MAX_WEIGHTS}"

# A new cap applies to jobs accepted before it: running ones count, waiting ones are capped.
_COUNT_RUNNING = """
UPDATE jobs j SET concurrency_key = '' FROM workers w
WHERE j.lease_worker = w.id AND j.tenant_id = %s AND j.concurrency_key IS NULL
"""
_CAP_WAITING = f"""
WITH c AS (
  SELECT id FROM jobs WHERE tenant_id = %(tenant_id)s AND wake_at IS NOT NULL AND concurrency_key IS NULL
  LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET concurrency_key = '', seq = j.seq + (j.state = 'queued')::int,
    parked = CASE WHEN j.state = 'queued' THEN '{LIMIT}' END,
    wake_at = CASE WHEN j.state <> 'queued' THEN j.wake_at END
  FROM c WHERE j.id = c.id RETURNING j.id, j.seq, j.tenant_id, j.parked),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.CAPPED}', NULL FROM u WHERE parked IS NOT NULL)
SELECT count(*) FROM u
"""


async def set_limits(connection: Connection, limits: TenantLimits) -> int:
    """Sets the limits and returns how many waiting jobs are capped now. Safe to repeat. When a cap is lifted,
    dispatchers admit its jobs."""
    await connection.execute(_SET, limits.model_dump())
    if limits.most_in_flight is None:
        return 0
    await connection.execute(_COUNT_RUNNING, (limits.tenant_id,))
    capped: int = 0
    while True:
        found = await connection.execute(_CAP_WAITING, {"tenant_id": limits.tenant_id})
        row = await found.fetchone()
        assert row is not None
        capped += int(row[0])
        if row[0] < MAX_AT_ONCE:
            return capped


async def weights(connection: Connection) -> Mapping[UUID, int]:
    """The tenants whose weight isn't 1."""
    found = await connection.execute(_WEIGHTS)
    return dict(await found.fetchall())
