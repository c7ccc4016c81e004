"""Reads what explains a job's state: the tenant's rows in the tenant's role, the queue's numbers in the system's.

Every count is bounded, so an explanation costs no more than a page of a list.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import dict_row

from infrastructure.postgres.jobs.holds import listed_for
from infrastructure.postgres.jobs.turns import MAX_TURNS
from infrastructure.postgres.session import Connection
from schemas.explanations import MAX_COUNTED
from schemas.holds import Hold
from schemas.jobs import IN_FLIGHT, LIMIT, TERMINAL, JobState

_STATES = ", ".join(f"'{state}'" for state in IN_FLIGHT)
_ENDED = ", ".join(f"'{state}'" for state in TERMINAL)
_UNDER_WAY = f"concurrency_key IS NOT NULL AND parked IS NULL AND state IN ({_STATES})"
_SOME = f"LIMIT {MAX_COUNTED + 1}"

_JOB = """
SELECT j.id, j.kind, j.queue, j.lane, j.priority, j.state, j.parked, j.concurrency_key, j.concurrency_limit, j.run_at,
  j.finished_at, j.lease_worker, j.progress, j.problem, w.host,
  (SELECT max(e.at) FROM job_events e WHERE e.job_id = j.id AND e.tenant_id = j.tenant_id AND e.type = 'job.started') AS since,
  coalesce(l.weight, 1) AS weight, l.most_in_flight AS tenant_limit
FROM jobs j LEFT JOIN workers w ON w.id = j.lease_worker LEFT JOIN tenant_limits l ON l.tenant_id = j.tenant_id
WHERE j.tenant_id = %(tenant_id)s AND j.id = %(job_id)s
"""
_CAP = f"""
SELECT
  (SELECT count(*) FROM (SELECT FROM jobs WHERE tenant_id = %(tenant_id)s AND concurrency_key = %(key)s AND {_UNDER_WAY}
    {_SOME}) f),
  (SELECT count(*) FROM (SELECT FROM jobs WHERE tenant_id = %(tenant_id)s AND {_UNDER_WAY} {_SOME}) f),
  (SELECT count(*) FROM (SELECT FROM jobs WHERE parked = '{LIMIT}' AND tenant_id = %(tenant_id)s
    AND concurrency_key = %(key)s AND (priority > %(priority)s OR priority = %(priority)s AND id < %(job_id)s) {_SOME}) f)
"""
_CHILDREN = f"""
SELECT count(*), count(*) FILTER (WHERE state IN ({_ENDED})) FROM jobs WHERE parent_id = %s AND tenant_id = %s
"""
_AHEAD = f"""
SELECT count(*) FROM (
  SELECT FROM jobs WHERE queue = %(queue)s AND lane = %(lane)s AND tenant_id = %(tenant_id)s AND id < %(job_id)s
    AND wake_at IS NOT NULL AND state = 'queued' {_SOME}) f
"""
_QUEUE = f"""
WITH RECURSIVE turn AS (
  (SELECT lane, tenant_id, 1 AS n FROM jobs
   WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued' ORDER BY lane, tenant_id LIMIT 1)
  UNION ALL
  SELECT next.lane, next.tenant_id, turn.n + 1 FROM turn CROSS JOIN LATERAL (
    SELECT lane, tenant_id FROM jobs
    WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued'
      AND (lane, tenant_id) > (turn.lane, turn.tenant_id)
    ORDER BY lane, tenant_id LIMIT 1) next
  WHERE turn.n <= {MAX_TURNS}),
alive AS (
  SELECT id FROM workers WHERE queue = %(queue)s AND dead_at IS NULL
    AND heartbeat_at > now() - make_interval(secs => %(lease_seconds)s))
SELECT (SELECT count(DISTINCT tenant_id) FROM turn), (SELECT count(*) FROM alive),
  (SELECT count(*) FROM (SELECT FROM alive w JOIN jobs j ON j.lease_worker = w.id {_SOME}) r)
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """The job and its tenant's limits."""

    id: UUID
    kind: str
    queue: str
    lane: int
    priority: int
    state: JobState
    parked: str | None
    concurrency_key: str | None
    concurrency_limit: int | None
    run_at: datetime
    finished_at: datetime | None
    lease_worker: UUID | None
    progress: dict[str, Any] | None
    problem: dict[str, Any] | None
    host: str | None
    since: datetime | None
    weight: int
    tenant_limit: int | None


@dataclass(frozen=True, slots=True)
class Cap:
    in_flight: int
    tenant_in_flight: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Found:
    """What the job's own tenant may read. None where it doesn't apply to the job's state."""

    job: Subject
    holds: tuple[Hold, ...]
    cap: Cap | None
    children: tuple[int, int] | None
    """How many children, and how many of them have ended."""
    ahead: int | None


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """Totals over all tenants; they identify none."""

    tenants_waiting: int
    workers: int
    running: int


async def subject(connection: Connection, tenant_id: UUID, job_id: UUID) -> Found | None:
    """What explains the job; None when the tenant has no such job."""
    asked = {"tenant_id": tenant_id, "job_id": job_id}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOB, asked)
        row = await cursor.fetchone()
    if row is None:
        return None
    job = Subject(**(row | {"state": JobState(row["state"])}))
    where = asked | {"queue": job.queue, "lane": job.lane, "key": job.concurrency_key, "priority": job.priority}
    waits = job.state in (JobState.QUEUED, JobState.RETRYING)
    return Found(
        job=job,
        holds=tuple(await listed_for(connection, tenant_id)) if waits else (),
        cap=Cap(*await _one(connection, _CAP, where)) if job.parked == LIMIT else None,
        children=await _children(connection, tenant_id, job) if job.state is JobState.WAITING else None,
        ahead=(await _one(connection, _AHEAD, where))[0] if waits and job.parked is None else None,
    )


async def numbers(connection: Connection, queue: str, *, lease_seconds: float) -> QueueNumbers:
    """The totals of a queue. For the system's role."""
    return QueueNumbers(*await _one(connection, _QUEUE, {"queue": queue, "lease_seconds": lease_seconds}))


async def _children(connection: Connection, tenant_id: UUID, job: Subject) -> tuple[int, int]:
    found = await connection.execute(_CHILDREN, (job.id, tenant_id))
    row = await found.fetchone()
    assert row is not None
    return row[0], row[1]


async def _one(connection: Connection, statement: LiteralString, parameters: dict[str, Any]) -> tuple[int, ...]:
    found = await connection.execute(statement, parameters)
    row = await found.fetchone()
    assert row is not None
    return row
