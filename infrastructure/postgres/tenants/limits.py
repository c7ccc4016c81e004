"""Sets tenants' limits, which is an operator's work in the system's role, and reads their weights for the fair scheduler."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE
from infrastructure.postgres.session import Connection
from schemas.jobs import LIMIT
from schemas.tenants import Limits

MAX_WEIGHTS = 10_000

COLUMN_OF: Final[Mapping[str, str]] = {
    name: {"jobs_in_flight": "most_in_flight"}.get(name, name) for name in Limits.model_fields
}
"""The column of `tenant_limits` by limit."""
AS_JSON: Final = "jsonb_build_object({})".format(
    ", ".join(f"'{name}', l.{column}::text" for name, column in COLUMN_OF.items())
)
"""The limits of the row `l` of `tenant_limits`; money as text keeps its decimals."""

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


def limits_of(stored: Mapping[str, Any] | None) -> Limits:
    """The limits that `AS_JSON` read; none for a tenant without a row."""
    return Limits() if stored is None else Limits.model_validate(stored, strict=False)


async def set_limits(connection: Connection, tenant_id: UUID, limits: Limits) -> int:
    """Sets the limits that are given, null ones to their default, and returns how many waiting jobs are capped now. Safe to
    repeat. When a cap is lifted, dispatchers admit its jobs."""
    given = limits.model_dump(include=limits.model_fields_set)
    if "weight" in given:
        given["weight"] = given["weight"] or 1
    if given:
        columns = [COLUMN_OF[name] for name in given]
        await connection.execute(
            _set(columns), {"tenant_id": tenant_id, **dict(zip(columns, given.values(), strict=True))}
        )
    return await _cap_waiting(connection, tenant_id) if given.get("jobs_in_flight") else 0


async def weights(connection: Connection) -> Mapping[UUID, int]:
    """The tenants whose weight isn't 1."""
    found = await connection.execute(_WEIGHTS)
    return dict(await found.fetchall())


def _set(columns: list[str]) -> str:
    names, values = ", ".join(columns), ", ".join(f"%({column})s" for column in columns)
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return f"""
    INSERT INTO tenant_limits (tenant_id, {names}) VALUES (%(tenant_id)s, {values})
    ON CONFLICT (tenant_id) DO UPDATE SET {changed}
    """


async def _cap_waiting(connection: Connection, tenant_id: UUID) -> int:
    await connection.execute(_COUNT_RUNNING, (tenant_id,))
    capped: int = 0
    while True:
        found = await connection.execute(_CAP_WAITING, {"tenant_id": tenant_id})
        row = await found.fetchone()
        assert row is not None
        capped += int(row[0])
        if row[0] < MAX_AT_ONCE:
            return capped
