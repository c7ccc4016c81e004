"""A tenant's failed jobs, grouped by fingerprint. What is read is bounded, however many there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from infrastructure.postgres.jobs.queries import LISTED_COLUMNS, told_jobs
from infrastructure.postgres.session import Connection
from schemas.failures import MAX_COUNTED, FailureGroup
from schemas.jobs import Job, JobState

MAX_GROUPS = 1_000
EXAMPLES = 3
LAST_RUN_FAILED = f"fingerprint IS NOT NULL AND state <> '{JobState.RUNNING}'"
"""The predicate of the index `jobs_failures`."""

# The distinct fingerprints are found by jumping from one to the next in the index, as many steps as there are groups,
# however many jobs each has; only those that are shown are counted, and no further than MAX_COUNTED.
_GROUPS = f"""
WITH RECURSIVE g AS (
  (SELECT fingerprint, 1 AS n FROM jobs
   WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} ORDER BY fingerprint LIMIT 1)
  UNION ALL
  SELECT next.fingerprint, g.n + 1 FROM g CROSS JOIN LATERAL (
    SELECT fingerprint FROM jobs WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint > g.fingerprint
    ORDER BY fingerprint LIMIT 1) next
  WHERE g.n < {MAX_GROUPS}),
shown AS (
  SELECT g.fingerprint, newest.failed_at AS last_at FROM g CROSS JOIN LATERAL (
    SELECT failed_at FROM jobs
    WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint = g.fingerprint AND failed_at >= %(since)s
    ORDER BY failed_at DESC LIMIT 1) newest
  ORDER BY newest.failed_at DESC, g.fingerprint LIMIT %(limit)s)
SELECT shown.fingerprint, shown.last_at, counted.count, counted.first_at, (SELECT max(n) FROM g) AS groups
FROM shown CROSS JOIN LATERAL (
  SELECT count(*), min(failed_at) AS first_at FROM (
    SELECT failed_at FROM jobs
    WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint = shown.fingerprint
      AND failed_at >= %(since)s
    ORDER BY failed_at DESC LIMIT {MAX_COUNTED} + 1) newest_ones) counted
ORDER BY shown.last_at DESC, shown.fingerprint
"""

_GROUP = f"""
SELECT %(fingerprint)s AS fingerprint, max(failed_at) AS last_at, count(*) AS count, min(failed_at) AS first_at
FROM (
  SELECT failed_at FROM jobs
  WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint = %(fingerprint)s AND failed_at >= %(since)s
  ORDER BY failed_at DESC LIMIT {MAX_COUNTED} + 1) newest_ones
HAVING count(*) > 0
"""

_EXAMPLES = f"""
SELECT f.fingerprint, j.id, j.kind, j.problem FROM unnest(%(fingerprints)s::text[]) AS f (fingerprint)
CROSS JOIN LATERAL (
  SELECT id, kind, problem, failed_at FROM jobs
  WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint = f.fingerprint
  ORDER BY failed_at DESC, id DESC LIMIT %(examples)s) j
ORDER BY f.fingerprint, j.failed_at DESC, j.id DESC
"""

_JOBS = f"""
SELECT {LISTED_COLUMNS}, failed_at FROM jobs
WHERE tenant_id = %(tenant_id)s AND {LAST_RUN_FAILED} AND fingerprint = %(fingerprint)s AND failed_at >= %(since)s
  AND (failed_at, id) < (%(before_at)s, %(before_id)s)
ORDER BY failed_at DESC, id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class FailurePlace:
    """A cursor in a group's list of jobs."""

    failed_at: datetime
    job_id: UUID


async def groups(
    connection: Connection, tenant_id: UUID, *, since: datetime, limit: int
) -> tuple[list[FailureGroup], bool]:
    """Up to `limit` groups with failures since then, the latest first; and whether these are all groups."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_GROUPS, {"tenant_id": tenant_id, "since": since, "limit": limit + 1})
        rows = await cursor.fetchall()
    complete = len(rows) <= limit and all(row["groups"] < MAX_GROUPS for row in rows)
    return await _groups_of(connection, tenant_id, rows[:limit]), complete


async def group(connection: Connection, tenant_id: UUID, fingerprint: str, *, since: datetime) -> FailureGroup | None:
    """The group; None when the tenant has no such failure since then."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_GROUP, {"tenant_id": tenant_id, "since": since, "fingerprint": fingerprint})
        rows = await cursor.fetchall()
    found = await _groups_of(connection, tenant_id, rows)
    return found[0] if found else None


async def jobs_of(
    connection: Connection, tenant_id: UUID, fingerprint: str, *, since: datetime, before: FailurePlace, limit: int
) -> list[tuple[FailurePlace, Job]]:
    """Up to `limit` jobs of the group that failed before the cursor, the latest first."""
    wanted = {
        "tenant_id": tenant_id,
        "fingerprint": fingerprint,
        "since": since,
        "before_at": before.failed_at,
        "before_id": before.job_id,
        "limit": limit,
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOBS, wanted)
        rows = await cursor.fetchall()
    places = [FailurePlace(row.pop("failed_at"), row["id"]) for row in rows]
    return list(zip(places, await told_jobs(rows), strict=True))


async def _groups_of(connection: Connection, tenant_id: UUID, rows: list[dict[str, Any]]) -> list[FailureGroup]:
    wanted = {"tenant_id": tenant_id, "fingerprints": [row["fingerprint"] for row in rows], "examples": EXAMPLES}
    found = await connection.execute(_EXAMPLES, wanted)
    examples: dict[str, list[tuple[UUID, str, dict[str, Any]]]] = {}
    for fingerprint, job_id, kind, problem in await found.fetchall():
        examples.setdefault(fingerprint, []).append((job_id, kind, problem))
    # A group whose last job was replayed between the two statements is gone.
    return [_group(row, examples[row["fingerprint"]]) for row in rows if row["fingerprint"] in examples]


def _group(row: dict[str, Any], examples: list[tuple[UUID, str, dict[str, Any]]]) -> FailureGroup:
    _, kind, problem = examples[0]
    return FailureGroup(
        fingerprint=row["fingerprint"],
        kind=kind,
        problem=problem["type"],
        title=problem["title"],
        detail=problem.get("detail", ""),
        count=min(row["count"], MAX_COUNTED),
        counted_all=row["count"] <= MAX_COUNTED,
        first_at=row["first_at"],
        last_at=row["last_at"],
        job_ids=tuple(job_id for job_id, _, _ in examples),
    )
