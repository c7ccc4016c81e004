"""Ends a job because its owner wants it ended."""

from dataclasses import dataclass
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.connections import Connection
from schemas.jobs import JobState, Trigger, states_that_allow, transition


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Now or before. `was_running` asks for its worker to be told to stop."""

    was_running: bool
    parent_id: UUID | None
    capped: bool = False
    """Its end may let another job in."""


@dataclass(frozen=True, slots=True)
class AlreadyOver:
    """It ended in another way before."""

    state: JobState


_CANCELLED = transition(JobState.RUNNING, Trigger.CANCEL)
_CANCELLABLE = ", ".join(f"'{state}'" for state in states_that_allow(Trigger.CANCEL))

# The lease goes with the state: what the worker still brings of this run is discarded by its token.
_CANCEL = f"""
WITH c AS (
  SELECT id, state FROM jobs WHERE tenant_id = %(tenant_id)s AND id = %(job_id)s FOR UPDATE),
u AS (
  UPDATE jobs j SET state = '{_CANCELLED}', seq = j.seq + 1, wake_at = NULL, finished_at = now(),
    lease_token = NULL, lease_worker = NULL, progress = NULL, parked = NULL
  FROM c WHERE j.id = c.id AND c.state IN ({_CANCELLABLE})
  RETURNING j.id, j.tenant_id, j.seq),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.CANCELLED}', jsonb_build_object('by', 'owner') FROM u)
SELECT c.state, j.parent_id, j.concurrency_key IS NOT NULL FROM c JOIN jobs j ON j.id = c.id
"""


async def cancel(connection: Connection, tenant_id: UUID, job_id: UUID) -> Cancelled | AlreadyOver | None:
    """What became of it; None when the tenant has no such job. Safe to repeat."""
    found = await connection.execute(_CANCEL, {"tenant_id": tenant_id, "job_id": job_id})
    row = await found.fetchone()
    if row is None:
        return None
    before = JobState(row[0])
    if before in states_that_allow(Trigger.CANCEL) or before is _CANCELLED:
        return Cancelled(was_running=before is JobState.RUNNING, parent_id=row[1], capped=row[2])
    return AlreadyOver(before)
