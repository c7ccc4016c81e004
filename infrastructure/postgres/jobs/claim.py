"""Claims jobs for a worker: one statement leases any number of them, fenced by the claim's token."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.errors import LockNotAvailable
from uuid_utils.compat import uuid4

from infrastructure.postgres import binary
from infrastructure.postgres.jobs.submission import commit_locks
from infrastructure.postgres.prepared import Call, Prepared, Rows, fetch, fetch_together
from infrastructure.postgres.session import Connection
from schemas.jobs import JobState, Trigger, states_that_allow, transition

CLAIMS_WAIT_SECONDS = 0.02
"""How long a claim waits for the commit of jobs whose doorbell was published before it, once their statement holds its
locks."""

RETRY_MISSED_SECONDS = (0.0, 0.0005, 0.001, 0.002, 0.004)
"""Delays before a job that was rung for ahead of its commit is claimed again after each miss: the claim came before the
job's statement, and so had no commit to wait for."""

SOUGHT_SECONDS = sum(RETRY_MISSED_SECONDS)
"""A job committed within this time of its doorbell is found by one of these claims, whatever was slow; one committed later
needs another doorbell."""

# States are literals in the statements: a bound parameter would keep the planner from the right partial index.
CLAIMABLE = ", ".join(f"'{state}'" for state in states_that_allow(Trigger.CLAIM))
RUNNING = transition(JobState.QUEUED, Trigger.CLAIM)

# The conditions are in the update itself, so of two claims for the same job one waits for the other and then finds it
# claimed. Locking the rows first and skipping locked ones would cost a third more. Both go through the ids in the same
# order, so that they can't deadlock.
_CLAIM = Prepared(
    "claim",
    f"""
WITH u AS (
  UPDATE jobs j SET state = '{RUNNING}', attempt = j.attempt + 1, seq = j.seq + 1, lease_token = %(token)b,
    lease_worker = %(worker)b, wake_at = NULL, started_at = coalesce(j.started_at, now()), progress = NULL
  FROM unnest(%(ids)b::uuid[]) AS c (id)
  WHERE j.id = c.id AND j.state IN ({CLAIMABLE}) AND j.parked IS NULL AND j.run_at <= now()
    AND EXISTS (SELECT 1 FROM workers w WHERE w.id = %(worker)b AND w.dead_at IS NULL)
  RETURNING j.id, j.tenant_id, j.kind, j.version, j.attempt, j.max_attempts, j.crashes, j.command,
    j.deadline, greatest(j.created_at, j.run_at) AS due_at, j.correlation_id, j.traceparent, j.seq, j.priority,
    j.problem->>'since' AS troubled_since, clock_timestamp() AS claimed_at),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, 'job.started', jsonb_build_object('attempt', attempt) FROM u)
SELECT id, tenant_id, kind, version, attempt, max_attempts, crashes, command::text, deadline, due_at,
  correlation_id, traceparent, priority, troubled_since, claimed_at FROM u
""",
)

# Each statement sees what was committed before it began: this one returns once the claim after it will see the jobs.
_AWAIT_COMMIT = Prepared(
    "await_commit",
    f"""
SELECT FROM unnest(%(locks)b::int8[]) AS l (lock)
WHERE set_config('lock_timeout', '{CLAIMS_WAIT_SECONDS * 1_000:.0f}', true) IS NULL
  OR pg_advisory_xact_lock_shared(lock) IS NULL
""",
)

_CHILDREN = """
SELECT j.parent_id, j.id, j.kind, j.state, j.result::text, j.problem::text, o.key
FROM jobs j LEFT JOIN job_objects o ON o.job_id = j.id
WHERE j.parent_id = ANY(%b::uuid[]) ORDER BY j.parent_id, j.id
"""

_CHARGE = "UPDATE jobs SET crashes = crashes + 1 WHERE id = %s AND lease_token = %s"

_NOTE_PROGRESS = """
UPDATE jobs j SET progress = d.progress::jsonb FROM unnest(%b::uuid[], %b::uuid[], %b::text[]) AS d (id, token, progress)
WHERE j.id = d.id AND j.lease_token = d.token
"""


class Claimed(NamedTuple):
    """A job leased to this worker. Settling it needs the fencing token, which all jobs of one claim share.

    A tuple, because one is made for every job, and a frozen dataclass takes ten times as long.
    """

    token: UUID
    id: UUID
    tenant_id: UUID
    kind: str
    version: int
    attempt: int
    max_attempts: int
    crashes: int
    command: str
    deadline: datetime | None
    due_at: datetime
    """When it was accepted or, if later, when it was to run."""
    correlation_id: UUID | None
    traceparent: str | None
    priority: int
    troubled_since: str | None
    """When the problem that postponed its last run first occurred, in ISO 8601."""
    claimed_at: datetime
    """By PostgreSQL's clock, like every time of a job."""


async def claim(
    connection: Connection, worker_id: UUID, ids: Sequence[bytes], *, rung_ahead: Sequence[bytes] = ()
) -> list[Claimed]:
    """Leases the jobs that are free to the worker and returns them. The rest are running, finished or not yet due.

    `ids` are the UUIDs' bytes, in order. For `rung_ahead` it waits up to CLAIMS_WAIT_SECONDS for the jobs' commit.

    Safe to repeat; jobs of a claim whose reply was lost go back when this worker doesn't settle them.
    """
    token = uuid4()
    call = _CLAIM(ids=binary.uuids(ids), worker=worker_id.bytes, token=token.bytes)
    rows = await (_fetch_when_committed(connection, call, rung_ahead) if rung_ahead else fetch(connection, call))
    return [Claimed(token, *row) for row in rows]


async def _fetch_when_committed(connection: Connection, call: Call, rung_ahead: Sequence[bytes]) -> Rows:
    try:
        _, rows = await fetch_together(connection, _AWAIT_COMMIT(locks=commit_locks(rung_ahead)), call)
    except LockNotAvailable:
        return await fetch(connection, call)
    return rows


async def children_of(
    connection: Connection, parents: Sequence[UUID]
) -> list[tuple[UUID, UUID, str, str, str | None, str | None, str | None]]:
    """Every child as (parent, id, kind, state, result and problem as JSON text, object key of a large result), in the
    order they were submitted."""
    found = await connection.execute(_CHILDREN, (list(parents),))
    return await found.fetchall()


async def charge(connection: Connection, claimed: Claimed) -> None:
    """Counts a crash against a suspect job before it runs, so that it is charged if the process dies."""
    await connection.execute(_CHARGE, (claimed.id, claimed.token))


async def note_progress(connection: Connection, notes: Sequence[tuple[UUID, UUID, str]]) -> None:
    """Stores each (job, token, progress as JSON text) whose token is still valid."""
    await connection.execute(_NOTE_PROGRESS, tuple(map(list, zip(*notes, strict=True))))
