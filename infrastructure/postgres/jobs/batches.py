"""Batches: one transaction stores a request's jobs and the batch job that waits for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from events.jobs import JobEvent
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, NewJob, Repeated, Submission, store, take_keys
from infrastructure.postgres.jobs.sweep import WAIT_CHECK_SECONDS
from infrastructure.postgres.session import Connection
from schemas.batches import BATCH_KIND, Batch
from schemas.jobs import TERMINAL, JobState


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to store."""

    job: NewJob
    """The batch's own job; its `command` is ignored."""
    atomic: bool
    tell: Callable[[Sequence[Submission]], str]
    """Makes the batch's command, JSON text with at least `name` and `total`, from the outcome of each job."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The batch was committed with its accepted jobs. `submissions` has each job's outcome, in order."""

    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """Nothing was stored: the batch is atomic and an idempotency key was used before with another command."""

    submissions: tuple[Submission, ...]


BatchSubmission = Kept | RefusedWhole | Repeated | KeyReused

# A batch whose jobs all existed before has nothing to wait for, so it succeeds at once.
_INSERT_BATCH = f"""
WITH j AS (
  INSERT INTO jobs (id, tenant_id, kind, queue, priority, max_attempts, correlation_id, traceparent, command,
    state, wake_at, finished_at)
  SELECT %(id)s, %(tenant_id)s, '{BATCH_KIND}', %(queue)s, %(priority)s, 1, %(correlation_id)s, %(traceparent)s,
    %(command)s::jsonb,
    CASE WHEN %(total)s::int > 0 THEN '{JobState.WAITING}' ELSE '{JobState.SUCCEEDED}' END,
    CASE WHEN %(total)s::int > 0 THEN now() + interval '{WAIT_CHECK_SECONDS} s' END,
    CASE WHEN %(total)s::int = 0 THEN now() END
  ON CONFLICT (id) DO NOTHING RETURNING id, tenant_id, kind, state)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, 1, tenant_id, CASE state WHEN '{JobState.WAITING}' THEN '{JobEvent.WAITING}' ELSE '{JobEvent.SUCCEEDED}' END,
  jsonb_build_object('kind', kind, 'jobs', %(total)s::int) FROM j
"""

_BATCH = f"""
SELECT b.id, b.state, b.command ->> 'name', (b.command ->> 'total')::int, b.result, b.created_at, b.finished_at,
  b.correlation_id,
  (SELECT jsonb_object_agg(state, n) FROM (
    SELECT state, count(*) AS n FROM jobs c WHERE c.tenant_id = b.tenant_id AND c.parent_id = b.id GROUP BY state) s)
FROM jobs b WHERE b.tenant_id = %s AND b.id = %s AND b.kind = '{BATCH_KIND}'
"""

_TOLD = f"SELECT command FROM jobs WHERE tenant_id = %s AND id = %s AND kind = '{BATCH_KIND}'"


async def store_batch(
    connection: Connection,
    batch: NewBatch,
    jobs: Sequence[NewJob],
    *,
    ring_again_seconds: float,
    idempotency_hours: int,
) -> BatchSubmission:
    """Commits the batch with its jobs, or nothing. Safe to repeat with the same ids."""
    submissions: list[Submission] = []
    async with connection.transaction():
        if batch.job.idempotency_key is not None:
            (before,) = await take_keys(connection, [batch.job], idempotency_hours=idempotency_hours)
            if not isinstance(before, Accepted):
                return before
        submissions = await store(
            connection, jobs, ring_again_seconds=ring_again_seconds, idempotency_hours=idempotency_hours
        )
        if batch.atomic and any(isinstance(one, KeyReused) for one in submissions):
            raise psycopg.Rollback
        await store_batch_job(connection, batch, submissions)
        return Kept(tuple(submissions))
    return RefusedWhole(tuple(submissions))


async def store_batch_job(connection: Connection, batch: NewBatch, submissions: Sequence[Submission]) -> None:
    """Stores the batch's own job, after those that it waits for. Call it in their transaction. Safe to repeat."""
    await connection.execute(_INSERT_BATCH, _inserted(batch, submissions))


def _inserted(batch: NewBatch, submissions: Sequence[Submission]) -> dict[str, object]:
    return {
        "id": batch.job.id,
        "tenant_id": batch.job.tenant_id,
        "queue": batch.job.queue,
        "priority": batch.job.priority,
        "correlation_id": batch.job.correlation_id,
        "traceparent": batch.job.traceparent,
        "command": batch.tell(submissions),
        "total": sum(isinstance(one, Accepted) for one in submissions),
    }


async def batch(connection: Connection, tenant_id: UUID, batch_id: UUID) -> Batch | None:
    """The batch as it stands; None when the tenant has no such batch."""
    found = await connection.execute(_BATCH, (tenant_id, batch_id))
    row = await found.fetchone()
    if row is None:
        return None
    identity, state, name, total, result, created_at, finished_at, correlation_id, counted = row
    by_state = counts_of(total, counted or {}, result or {})
    # A job that was deleted has ended.
    left = sum(count for one, count in by_state.items() if one not in TERMINAL)
    return Batch(
        id=identity,
        name=name,
        state=JobState(state),
        total=total,
        by_state=by_state,
        fraction=1.0 - left / total if total else 1.0,
        created_at=created_at,
        finished_at=finished_at,
        correlation_id=correlation_id,
    )


def counts_of(total: int, counted: dict[str, int], result: dict[str, int]) -> dict[JobState, int]:
    """Counts the jobs by state: as they are now, or from the batch's result where retention has deleted some."""
    source = result if result and sum(counted.values()) < total else counted
    return {state: source[state] for state in JobState if source.get(state)}


async def told_of(connection: Connection, tenant_id: UUID, batch_id: UUID) -> dict[str, Any] | None:
    """The command that `NewBatch.tell` made; None when the tenant has no such batch."""
    found = await connection.execute(_TOLD, (tenant_id, batch_id))
    row = await found.fetchone()
    return None if row is None else row[0]
