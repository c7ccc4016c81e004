"""Replays an ended job: queues it again, as it was or with an edited command."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from events.jobs import JobEvent
from infrastructure.postgres.jobs.sweep import Unclaimed
from infrastructure.postgres.session import Connection
from schemas.jobs import LIMIT, TERMINAL, JobState, Trigger, states_that_allow, transition

_QUEUED = transition(JobState.DEAD, Trigger.REPLAY)
_REPLAYABLE = ", ".join(f"'{state}'" for state in states_that_allow(Trigger.REPLAY))
ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))

# A deadline that has passed is cleared, or it would end the job before it runs; a later one stays. A capped job waits
# for the dispatcher to admit it, like a new one.
ANEW = f"""state = '{_QUEUED}', seq = j.seq + 1, attempt = 0, crashes = 0, run_at = now(),
    wake_at = CASE WHEN j.concurrency_key IS NULL THEN now() + make_interval(secs => %(ring_again_seconds)s) END,
    parked = CASE WHEN j.concurrency_key IS NOT NULL THEN '{LIMIT}' END,
    deadline = CASE WHEN j.deadline > now() THEN j.deadline END, started_at = NULL, finished_at = NULL,
    result = NULL, problem = NULL, progress = NULL, fingerprint = NULL, failed_at = NULL"""

_ASK = "SELECT kind, state, command FROM jobs WHERE tenant_id = %s AND id = %s"

# A job whose children still run can't be replayed: it would see their outcomes before they have any. What it had finished
# is used again, unless it is asked for something else now; an answer that it only has is asked for again: it may be what it
# failed of.
_REPLAY = f"""
WITH c AS (
  SELECT j.id, j.state, EXISTS (
      SELECT 1 FROM jobs k WHERE k.parent_id = j.id AND k.state NOT IN ({ENDED})) AS children_run
  FROM jobs j WHERE j.tenant_id = %(tenant_id)s AND j.id = %(job_id)s FOR UPDATE),
u AS (
  UPDATE jobs j SET {ANEW}, command = coalesce(%(command)s::jsonb, j.command), version = coalesce(%(version)s, j.version)
  FROM c WHERE j.id = c.id AND c.state IN ({_REPLAYABLE}) AND NOT c.children_run
  RETURNING j.id, j.tenant_id, j.seq, j.kind, j.queue, j.priority),
s AS (DELETE FROM ai_sections s USING u WHERE %(command)s::jsonb IS NOT NULL AND s.tenant_id = u.tenant_id AND s.job_id = u.id),
a AS (DELETE FROM ai_answers a USING u WHERE a.tenant_id = u.tenant_id AND a.job_id = u.id),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, '{JobEvent.REPLAYED}', %(told)s::jsonb FROM u)
SELECT c.state, c.children_run, u.id, u.tenant_id, u.kind, u.queue, u.priority FROM c LEFT JOIN u ON u.id = c.id
"""

_REPLAYED_BEFORE = f"""
SELECT 1 FROM job_events
WHERE tenant_id = %s AND job_id = %s AND type = '{JobEvent.REPLAYED}' AND data ->> 'request' = %s
"""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The job is queued again, by this call or by the same request before. With `bell` the caller publishes its
    doorbell."""

    bell: Unclaimed | None


@dataclass(frozen=True, slots=True)
class NotOver:
    """The job hasn't ended, or it succeeded: nothing was changed."""

    state: JobState


@dataclass(frozen=True, slots=True)
class ChildrenRun:
    """The job's children haven't ended yet: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """The command that replaces the job's own."""

    command: str
    """JSON text."""
    version: int


@dataclass(frozen=True, slots=True)
class Request:
    """Who requested a replay, and its idempotency key."""

    by: str
    key: str | None = None


class Asked(NamedTuple):
    kind: str
    state: str
    command: dict[str, Any]


async def asked(connection: Connection, tenant_id: UUID, job_id: UUID) -> Asked | None:
    """The job's kind, state and command; None when the tenant has no such job."""
    found = await connection.execute(_ASK, (tenant_id, job_id))
    row = await found.fetchone()
    return None if row is None else Asked(*row)


async def replay(
    connection: Connection,
    tenant_id: UUID,
    job_id: UUID,
    request: Request,
    *,
    edit: Edit | None = None,
    ring_again_seconds: float,
) -> Replayed | NotOver | ChildrenRun | None:
    """Replays the job; None when the tenant has no such job. Safe to repeat with the same key."""
    event_data = {"by": request.by, "edited": edit is not None, "request": request.key}
    found = await connection.execute(
        _REPLAY,
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "command": None if edit is None else edit.command,
            "version": None if edit is None else edit.version,
            "told": Jsonb({name: value for name, value in event_data.items() if value}),
            "ring_again_seconds": ring_again_seconds,
        },
    )
    row = await found.fetchone()
    if row is None:
        return None
    if row[2] is not None:
        return Replayed(Unclaimed(*row[2:]))
    if request.key is not None:
        before = await connection.execute(_REPLAYED_BEFORE, (tenant_id, job_id, request.key))
        if await before.fetchone() is not None:
            return Replayed(None)
    state = JobState(row[0])
    return ChildrenRun() if state in states_that_allow(Trigger.REPLAY) else NotOver(state)
