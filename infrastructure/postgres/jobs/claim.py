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
"""For the commit of a job that was rung for ahead of it. What takes longer is to be rung for again."""

# States stand in the statements as literals: a bound parameter would keep the planner from the right index.
CLAIMABLE = ", ".join(f"'{state}'" for state in states_that_allow(Trigger.CLAIM))
RUNNING = transition(JobState.QUEUED, Trigger.CLAIM)

# The conditions stand in the update itself, so of two claims that name the same job one waits for the other and then
# finds it taken. Locking the rows first and skipping locked ones would cost a third more. Both go through the ids in
# the same order, so that they never wait for each other.
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

# Each statement sees what was committed before it began, so this one is answered when the claim behind it will see them.
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
    """A job this worker now holds. Whoever settles it must show the token, which the jobs of one claim share.

    A tuple, because making one is on the path of every job, and a frozen dataclass takes ten times as long.
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
    """When the trouble that put its last run off was first met, in ISO 8601."""
    claimed_at: datetime
    """By PostgreSQL's clock, as every time of a job is: what a worker's own says decides nothing."""


async def claim(
    connection: Connection, worker_id: UUID, ids: Sequence[bytes], *, rung_ahead: Sequence[bytes] = ()
) -> list[Claimed]:
    """Those of the jobs that were free, now leased to the worker. The rest are running, finished, or not yet due. The ids
    are the UUIDs' bytes, in order; those that were rung for ahead of their commit are waited for, but not for long.

    Repeating it is safe; a claim whose answer was lost is given up by the sweeper when this worker doesn't settle it.
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
    """(parent, id, kind, state, result and problem as JSON text, key of a result too large for the row) of every child, in
    the order they were made."""
    found = await connection.execute(_CHILDREN, (list(parents),))
    return await found.fetchall()


async def charge(connection: Connection, claimed: Claimed) -> None:
    """Counts a crash against a suspect before it runs, so that it is known to have run if the process dies."""
    await connection.execute(_CHARGE, (claimed.id, claimed.token))


async def note_progress(connection: Connection, notes: Sequence[tuple[UUID, UUID, str]]) -> None:
    """Stores (job, token, progress as JSON text) where the token still holds."""
    await connection.execute(_NOTE_PROGRESS, tuple(map(list, zip(*notes, strict=True))))
