"""What a tenant may read of its jobs. Every statement names the tenant, though its role sees no other's rows."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from infrastructure.postgres.connections import Connection
from schemas.jobs import Job, JobState, Timeline, TimelineEntry

LONGEST_TIMELINE = 1_000

JOB_COLUMNS = """id, kind, queue, state, priority, attempt, max_attempts, created_at, run_at, started_at, finished_at,
  deadline, progress, result, problem, correlation_id, causation_id, parent_id,
  (SELECT bytes FROM job_objects o WHERE o.job_id = jobs.id) AS result_bytes"""

_JOB = f"SELECT {JOB_COLUMNS} FROM jobs WHERE tenant_id = %s AND id = %s"

_FIRST_OF = f"""
SELECT {JOB_COLUMNS} FROM jobs
WHERE tenant_id = %(tenant_id)s AND id < %(before)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
"""
# Each order is one that an index has.
_JOBS = _FIRST_OF + "ORDER BY tenant_id DESC, id DESC LIMIT %(limit)s"
_JOBS_OF_BATCH = _FIRST_OF + "AND parent_id = %(batch_id)s ORDER BY parent_id DESC, id DESC LIMIT %(limit)s"

_TIMELINE = """
SELECT seq, type, at, data FROM job_events WHERE tenant_id = %s AND job_id = %s ORDER BY seq DESC LIMIT %s
"""

NEWEST = UUID(int=2**128 - 1)
"""Sorts after every job, so it is where a list begins."""


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Which jobs to list; None leaves that open."""

    state: JobState | None = None
    kind: str | None = None
    queue: str | None = None
    batch_id: UUID | None = None


async def job(connection: Connection, tenant_id: UUID, job_id: UUID) -> Job | None:
    """The job as it stands; None when the tenant has no such job."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOB, (tenant_id, job_id))
        row = await cursor.fetchone()
    return None if row is None else told_job(row)


async def jobs(connection: Connection, tenant_id: UUID, filters: JobFilters, *, before: UUID, limit: int) -> list[Job]:
    """Up to `limit` jobs, the newest first, all older than the job `before`."""
    wanted = {
        "tenant_id": tenant_id,
        "before": before,
        "state": filters.state,
        "kind": filters.kind,
        "queue": filters.queue,
        "batch_id": filters.batch_id,
        "limit": limit,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOBS if filters.batch_id is None else _JOBS_OF_BATCH, wanted)
        return [told_job(row) for row in await cursor.fetchall()]


async def timeline(connection: Connection, tenant_id: UUID, job_id: UUID) -> Timeline | None:
    """All that happened to the job, in order (the last LONGEST_TIMELINE); None when the tenant has no such job."""
    found = await connection.execute(_TIMELINE, (tenant_id, job_id, LONGEST_TIMELINE))
    entries = [TimelineEntry(seq=seq, type=kind, at=at, data=data) for seq, kind, at, data in await found.fetchall()]
    return Timeline(job_id=job_id, entries=tuple(reversed(entries))) if entries else None


def told_job(row: dict[str, Any]) -> Job:
    """A row of JOB_COLUMNS as its tenant sees it."""
    url = None if row["result_bytes"] is None else f"/api/jobs/{row['id']}/result"
    return Job.model_validate({**row, "result_url": url})
