"""Cancels jobs at their owner's request."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.jobs.replay import Asked
from infrastructure.postgres.session import Connection
from schemas.batches import BATCH_KIND
from schemas.jobs import TERMINAL, JobState, Trigger, states_that_allow, transition


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The job is cancelled, by this call or an earlier one. With `was_running` its worker must be notified to stop
    it."""

    was_running: bool
    parent_id: UUID | None
    capped: bool = False
    """Its end may admit another capped job."""
    is_batch: bool = False


@dataclass(frozen=True, slots=True)
class AlreadyOver:
    """The job had ended in another state before."""

    state: JobState


@dataclass(frozen=True, slots=True)
class CancelledChildren:
    """The jobs of a batch that one call cancelled."""

    stopped: tuple[UUID, ...]
    """Those that were running: their workers must be notified."""
    capped: tuple[UUID, ...]
    """Those whose end may admit another capped job."""
    left: int
    """How many were skipped because they were being claimed or settled."""


_CANCELLED = transition(JobState.RUNNING, Trigger.CANCEL)
_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_CANCELLABLE = ", ".join(f"'{state}'" for state in states_that_allow(Trigger.CANCEL))

# The lease is dropped with the state, so the fencing token discards whatever the worker still settles of this run.
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
SELECT c.state, j.parent_id, j.concurrency_key IS NOT NULL, j.kind = '{BATCH_KIND}' FROM c JOIN jobs j ON j.id = c.id
"""

# Skips jobs that are being claimed or settled and leaves them for the next round: waiting for several row locks in turn
# could deadlock.
_CANCEL_CHILDREN = f"""
WITH c AS (
  SELECT id, state FROM jobs
  WHERE tenant_id = %(tenant_id)s AND parent_id = %(batch_id)s AND state NOT IN ({_ENDED})
    AND state IN ({_CANCELLABLE})
  ORDER BY id FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET state = '{_CANCELLED}', seq = j.seq + 1, wake_at = NULL, finished_at = now(),
    parked = NULL, lease_token = NULL, lease_worker = NULL, progress = NULL
  FROM c WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.seq),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.CANCELLED}', jsonb_build_object('by', 'owner', 'batch', %(batch_id)s::text)
  FROM u)
SELECT j.id, c.state = '{JobState.RUNNING}', j.concurrency_key IS NOT NULL FROM c JOIN jobs j ON j.id = c.id
WHERE c.state = '{JobState.RUNNING}' OR j.concurrency_key IS NOT NULL
"""
_CHILDREN_LEFT = f"""
SELECT count(*) FROM jobs WHERE tenant_id = %s AND parent_id = %s AND state NOT IN ({_ENDED})
"""


_NEXT_UNENDED = f"""
SELECT id, kind, state, command FROM jobs
WHERE tenant_id = %(tenant_id)s AND (id = %(job_id)s OR parent_id = %(job_id)s) AND state NOT IN ({_ENDED})
  AND kind = ANY(%(kinds)s::text[]) AND id > %(after)s
ORDER BY id LIMIT 1
"""


async def next_unended(
    connection: Connection, tenant_id: UUID, job_id: UUID, kinds: Sequence[str], after: UUID
) -> tuple[UUID, Asked] | None:
    """The first unended job after `after` of these kinds, among the job and its children; None when there is none."""
    wanted = {"tenant_id": tenant_id, "job_id": job_id, "kinds": list(kinds), "after": after}
    row = await (await connection.execute(_NEXT_UNENDED, wanted)).fetchone()
    return None if row is None else (row[0], Asked(*row[1:]))


async def cancel(connection: Connection, tenant_id: UUID, job_id: UUID) -> Cancelled | AlreadyOver | None:
    """Cancels the job unless it has ended; None when the tenant has no such job. Safe to repeat."""
    found = await connection.execute(_CANCEL, {"tenant_id": tenant_id, "job_id": job_id})
    row = await found.fetchone()
    if row is None:
        return None
    before = JobState(row[0])
    if before in states_that_allow(Trigger.CANCEL) or before is _CANCELLED:
        return Cancelled(was_running=before is JobState.RUNNING, parent_id=row[1], capped=row[2], is_batch=row[3])
    return AlreadyOver(before)


async def cancel_children(connection: Connection, tenant_id: UUID, batch_id: UUID) -> CancelledChildren:
    """Cancels the jobs of a batch. Call it again, each time in a new transaction, until `left` is 0."""
    wanted = {"tenant_id": tenant_id, "batch_id": batch_id}
    rows = await (await connection.execute(_CANCEL_CHILDREN, wanted)).fetchall()
    found = await (await connection.execute(_CHILDREN_LEFT, (tenant_id, batch_id))).fetchone()
    assert found is not None
    return CancelledChildren(
        stopped=tuple(job_id for job_id, was_running, _ in rows if was_running),
        capped=tuple(job_id for job_id, _, capped in rows if capped),
        left=int(found[0]),
    )
