"""A tenant's reads of its jobs. Every statement filters by tenant, although row-level security does so too."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from pydantic_core import from_json

from infrastructure.postgres.session import Connection
from schemas.bounds import MAX_STORED_LEVELS, OutOfBounds, too_deep
from schemas.jobs import Job, JobCommand, JobState, Timeline, TimelineEntry
from schemas.problems import UNREADABLE

LONGEST_TIMELINE = 1_000
ROWS_IN_A_GO = 25
"""Rows parsed before yielding to the event loop."""

MAX_LISTED_RESULT_BYTES = 4_096
"""A larger result is left out of lists, which may have two hundred jobs; read it at its `result_url`."""

_COLUMNS = """id, kind, queue, state, priority, attempt, max_attempts, created_at, run_at, started_at, finished_at,
  deadline, progress::text, problem::text, correlation_id, causation_id, parent_id,"""
_JOB_COLUMNS = f"""{_COLUMNS}
  result::text, (SELECT bytes FROM job_objects o WHERE o.job_id = jobs.id) AS result_bytes"""
LEAN_COLUMNS = f"""{_COLUMNS}
  NULL::text AS result, result IS NOT NULL AS has_result,
  (SELECT bytes FROM job_objects o WHERE o.job_id = jobs.id) AS result_bytes"""
LISTED_COLUMNS = f"""{_COLUMNS}
  CASE WHEN octet_length(result::text) <= {MAX_LISTED_RESULT_BYTES} THEN result::text END AS result,
  coalesce((SELECT bytes FROM job_objects o WHERE o.job_id = jobs.id),
    CASE WHEN octet_length(result::text) > {MAX_LISTED_RESULT_BYTES} THEN octet_length(result::text) END) AS result_bytes"""

_JOB = f"SELECT {_JOB_COLUMNS} FROM jobs WHERE tenant_id = %s AND id = %s"

_FILTERED = """
WHERE tenant_id = %(tenant_id)s AND id < %(before)s AND id >= %(least)s
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(queue)s::text IS NULL OR queue = %(queue)s)
"""
# Each order matches an index.
_NEWEST = "ORDER BY tenant_id DESC, id DESC LIMIT %(limit)s"
_NEWEST_OF_BATCH = "AND parent_id = %(batch_id)s ORDER BY parent_id DESC, id DESC LIMIT %(limit)s"

_COMMAND = "SELECT kind, version, command::text FROM jobs WHERE tenant_id = %s AND id = %s"
_RESULT = "SELECT result::text FROM jobs WHERE tenant_id = %s AND id = %s"
_TIMELINE = """
SELECT seq, type, at, data::text FROM job_events WHERE tenant_id = %s AND job_id = %s ORDER BY seq DESC LIMIT %s
"""

_JSON = ("result", "progress", "problem")

ID_DIGITS = 32
NEWEST = UUID(int=2**128 - 1)
"""Sorts after every job: the cursor of a list's first page."""


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Which jobs to list; None leaves that open."""

    state: JobState | None = None
    kind: str | None = None
    queue: str | None = None
    batch_id: UUID | None = None
    id_prefix: str | None = None
    """The first hexadecimal digits of the id, without hyphens."""


async def job(connection: Connection, tenant_id: UUID, job_id: UUID) -> Job | None:
    """The job as it stands; None when the tenant has no such job."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_JOB, (tenant_id, job_id))
        row = await cursor.fetchone()
    return None if row is None else told_job(row)


async def jobs(
    connection: Connection, tenant_id: UUID, filters: JobFilters, *, before: UUID, limit: int, results: bool = False
) -> list[Job]:
    """Up to `limit` jobs, the newest first, all older than the job `before`. Without `results` each only says where its
    result is."""
    least, beyond = _ids_with(filters.id_prefix)
    wanted = {
        "tenant_id": tenant_id,
        "before": min(before, beyond),
        "least": least,
        "state": filters.state,
        "kind": filters.kind,
        "queue": filters.queue,
        "batch_id": filters.batch_id,
        "limit": limit,
    }
    columns = LISTED_COLUMNS if results else LEAN_COLUMNS
    order = _NEWEST if filters.batch_id is None else _NEWEST_OF_BATCH
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(f"SELECT {columns} FROM jobs {_FILTERED} {order}", wanted)
        return await told_jobs(await cursor.fetchall())


def _ids_with(prefix: str | None) -> tuple[UUID, UUID]:
    """The least id that begins so, and what follows the greatest one."""
    digits = prefix or ""
    least, greatest = UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f"))
    return least, UUID(int=min(greatest.int + 1, NEWEST.int))


async def timeline(connection: Connection, tenant_id: UUID, job_id: UUID) -> Timeline | None:
    """The job's events, in order, at most the last LONGEST_TIMELINE; None when the tenant has no such job."""
    found = await connection.execute(_TIMELINE, (tenant_id, job_id, LONGEST_TIMELINE))
    entries = [_entry(*row) for row in await found.fetchall()]
    return Timeline(job_id=job_id, entries=tuple(reversed(entries))) if entries else None


async def command(connection: Connection, tenant_id: UUID, job_id: UUID) -> JobCommand | None:
    """What the job was given; None when the tenant has no such job."""
    row = await (await connection.execute(_COMMAND, (tenant_id, job_id))).fetchone()
    if row is None:
        return None
    kind, version, stored = row
    try:
        return JobCommand(job_id=job_id, kind=kind, version=version, command=readable(stored))
    except ValueError:
        return JobCommand(job_id=job_id, kind=kind, version=version, command=None, problem=UNREADABLE)


async def result(connection: Connection, tenant_id: UUID, job_id: UUID) -> tuple[bool, str | None]:
    """Whether the tenant has the job, and its row's result as JSON text."""
    row = await (await connection.execute(_RESULT, (tenant_id, job_id))).fetchone()
    return (False, None) if row is None else (True, row[0])


async def told_jobs(rows: Sequence[dict[str, Any]]) -> list[Job]:
    """Jobs from rows of LISTED_COLUMNS or LEAN_COLUMNS."""
    found: list[Job] = []
    for row in rows:
        if len(found) % ROWS_IN_A_GO == ROWS_IN_A_GO - 1:
            await asyncio.sleep(0)
        found.append(told_job(row))
    return found


def told_job(row: dict[str, Any]) -> Job:
    """A job from a row of the columns above. JSON that can't be parsed is left out, and the job's problem says so."""
    url = f"/api/jobs/{row['id']}/result"
    elsewhere = row["result_bytes"] is not None or row.pop("has_result", False)
    shown = {**row, "result_url": url if elsewhere else None}
    try:
        return Job.model_validate({**shown, **{name: readable(row[name]) for name in _JSON}})
    except ValueError:
        left_out = {**dict.fromkeys(_JSON), "problem": UNREADABLE}
        return Job.model_validate({**shown, **left_out, "result_url": url if row["result"] else shown["result_url"]})


def readable(text: str | None) -> Any:
    """Parses stored JSON. ValueError when it is invalid, or nested deeper than anything we store."""
    if text is None:
        return None
    if too_deep(text, MAX_STORED_LEVELS):
        raise OutOfBounds(f"more than {MAX_STORED_LEVELS} levels")
    return from_json(text)


def _entry(seq: int, kind: str, at: datetime, data: str | None) -> TimelineEntry:
    try:
        return TimelineEntry(seq=seq, type=kind, at=at, data=readable(data))
    except ValueError:
        return TimelineEntry(seq=seq, type=kind, at=at, data={"problem": UNREADABLE.model_dump(exclude_defaults=True)})
