"""The sweeper's statements: they find jobs whose doorbell was lost, wake due jobs, and reap dead workers' jobs.

Every statement may run in any number of dispatchers at once.
"""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.postgres.jobs.settlement import Resumed, resume_parents
from infrastructure.postgres.session import Connection
from schemas.jobs import LIMIT, JobState, Trigger, transition

MAX_AT_ONCE = 1_000
MAX_QUEUES = 200
MAX_COUNTED = 100_000
CRASHES_ALLOWED = 2
"""A job during whose runs this many processes died is poison."""
WAIT_CHECK_SECONDS = 15
RETRY_LATE_SECONDS = 1
"""A retry that has been due for this long has lost its doorbell."""
KEYS_AT_ONCE = 5_000
MAX_ROUNDS_OF_KEYS = 100


class Unclaimed(NamedTuple):
    """A job that needs a doorbell."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


_COME_DUE = f"""
WITH c AS (
  SELECT id FROM jobs WHERE wake_at <= now() AND state = 'scheduled'
  ORDER BY wake_at LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET state = 'queued', seq = j.seq + 1 + (j.concurrency_key IS NOT NULL)::int,
    parked = CASE WHEN j.concurrency_key IS NOT NULL THEN '{LIMIT}' END,
    wake_at = CASE WHEN j.concurrency_key IS NULL THEN now() + make_interval(secs => %s) END FROM c
  WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq, j.parked),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq - (parked IS NOT NULL)::int, tenant_id, '{JobEvent.QUEUED}', NULL::jsonb FROM u
  UNION ALL
  SELECT id, seq, tenant_id, '{JobEvent.CAPPED}', NULL FROM u WHERE parked IS NOT NULL)
SELECT id, tenant_id, kind, queue, priority, parked IS NOT NULL FROM u
"""

# The worker that failed a job publishes its retry's doorbell, and the retry starts from its own state. One that is
# still due has lost its doorbell or waits behind a long list: it is queued like all others, and scheduled in turn.
_QUEUE_RETRIES = f"""
WITH c AS (
  SELECT id FROM jobs WHERE wake_at <= now() - make_interval(secs => %(late)s) AND state = 'retrying'
    AND (%(queue)s::text IS NULL OR queue = %(queue)s)
  ORDER BY wake_at LIMIT {MAX_AT_ONCE} FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET state = '{transition(JobState.RETRYING, Trigger.COME_DUE)}', seq = j.seq + 1,
    wake_at = now() + make_interval(secs => %(again)s) FROM c
  WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq),
e AS (INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT id, seq, tenant_id, '{JobEvent.QUEUED}' FROM u)
SELECT id, tenant_id, kind, queue, priority FROM u
"""

_DECLARE_DEAD = """
UPDATE workers SET dead_at = now() WHERE dead_at IS NULL AND heartbeat_at < now() - make_interval(secs => %(lease)s)
"""

# One statement finds out which of those below have work, so that a quiet system doesn't run ten of them a second. It goes
# from one queue that has a waiting job to the next in the index's order, whoever declared it: this dispatcher may lack
# the package of some.
LOOK = f"""
SELECT
  EXISTS (SELECT 1 FROM workers w JOIN jobs j ON j.lease_worker = w.id WHERE w.dead_at IS NOT NULL),
  EXISTS (SELECT 1 FROM jobs WHERE state = 'scheduled' AND wake_at <= now()),
  EXISTS (SELECT 1 FROM jobs WHERE state = 'retrying' AND wake_at <= now() - interval '{RETRY_LATE_SECONDS} s'),
  EXISTS (SELECT 1 FROM jobs WHERE state = 'waiting' AND wake_at <= now()),
  EXISTS (SELECT 1 FROM jobs WHERE parked > '{LIMIT}'),
  EXISTS (SELECT 1 FROM jobs WHERE parked < '{LIMIT}'),
  EXISTS (SELECT 1 FROM jobs WHERE parked = '{LIMIT}'),
  EXISTS (SELECT 1 FROM schedules WHERE look_at <= now()),
  EXISTS (SELECT 1 FROM replays WHERE finished_at IS NULL AND next_at <= now()),
  ARRAY(WITH RECURSIVE waiting AS (
    (SELECT queue FROM jobs WHERE wake_at IS NOT NULL AND state = 'queued' ORDER BY queue, lane, tenant_id, id LIMIT 1)
    UNION ALL
    SELECT next.queue FROM waiting CROSS JOIN LATERAL (
      SELECT queue FROM jobs WHERE wake_at IS NOT NULL AND state = 'queued' AND queue > waiting.queue
      ORDER BY queue, lane, tenant_id, id LIMIT 1) next)
    SELECT queue FROM waiting LIMIT {MAX_QUEUES})
"""

# Joins all dead workers, not only those just declared dead: a claim may have raced that statement. A suspect is a job
# during whose run a process died before. It is charged before it runs again (see `claim.charge`), so its count shows
# here whether it ran; the other jobs of a dead worker are charged only where no suspect ran, so that one poison job
# doesn't take its neighbours with it. Of a stalled worker it is mostly known which run blocks its event loop: only that
# one is charged, not even a suspect that ran beside it.
_REAP = f"""
WITH lost AS (
  SELECT j.id, j.lease_token, w.stalled_at IS NOT NULL AS stalled, coalesce(w.stalled_by = j.id, false) AS stalls,
    CASE WHEN w.stalled_by IS NULL THEN j.crashes + (j.crashes = 0 AND NOT bool_or(j.crashes >= {CRASHES_ALLOWED})
        OVER (PARTITION BY j.lease_worker))::int
      WHEN w.stalled_by = j.id THEN greatest(j.crashes, 1)
      ELSE least(j.crashes, {CRASHES_ALLOWED - 1}) END AS crashes
  FROM workers w JOIN jobs j ON j.lease_worker = w.id WHERE w.dead_at IS NOT NULL),
c AS (
  SELECT j.id, lost.lease_token, lost.crashes, lost.stalled, lost.stalls, lost.crashes >= {CRASHES_ALLOWED} AS poison
  FROM lost JOIN jobs j ON j.id = lost.id AND j.lease_token = lost.lease_token ORDER BY j.id FOR UPDATE OF j SKIP LOCKED),
u AS (
  UPDATE jobs j SET crashes = c.crashes, lease_token = NULL, lease_worker = NULL, seq = j.seq + 1,
    state = CASE WHEN c.poison THEN 'dead' ELSE 'queued' END,
    wake_at = CASE WHEN NOT c.poison THEN now() END,
    finished_at = CASE WHEN c.poison THEN now() END,
    problem = CASE WHEN c.poison THEN CASE WHEN c.stalled THEN %(stall_problem)s ELSE %(problem)s END::jsonb END,
    fingerprint = CASE WHEN c.poison THEN left(encode(sha256(convert_to(
      j.kind || CASE WHEN c.stalled THEN %(stall_text)s ELSE %(failure_text)s END, 'UTF8')), 'hex'), 16) END,
    failed_at = CASE WHEN c.poison THEN now() END
  FROM c WHERE j.id = c.id AND j.lease_token = c.lease_token
  RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq, j.state, j.crashes, j.attempt, j.parent_id, c.stalled,
    c.stalls),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, CASE state WHEN 'dead' THEN 'job.dead' ELSE 'job.requeued' END,
    jsonb_build_object('reason', CASE WHEN stalls THEN 'it blocked its worker' WHEN stalled THEN 'worker blocked'
      ELSE 'worker lost' END, 'crashes', crashes, 'attempt', attempt) FROM u)
SELECT id, tenant_id, kind, queue, priority, state, parent_id FROM u
"""

_WAITING = f"""
SELECT id FROM jobs WHERE wake_at <= now() AND state = 'waiting' ORDER BY wake_at LIMIT {MAX_AT_ONCE}
"""
_WAIT_ON = f"""
UPDATE jobs SET wake_at = now() + interval '{WAIT_CHECK_SECONDS} s' WHERE id = ANY(%s) AND state = 'waiting'
"""

_FORGET_KEYS = f"""
DELETE FROM job_keys WHERE ctid IN (SELECT ctid FROM job_keys WHERE expires_at <= now() LIMIT {KEYS_AT_ONCE})
"""
_FORGET_WORKERS = """
DELETE FROM workers w WHERE dead_at < now() - interval '1 day'
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.lease_worker = w.id)
"""
# The count is bounded: a backlog of millions would take seconds. The oldest job is the first of some tenant, so one row
# for each waiting tenant is enough.
_DEPTH = f"""
WITH RECURSIVE turn AS (
  (SELECT lane, tenant_id, id, run_at, 1 AS n FROM jobs
   WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued' ORDER BY lane, tenant_id, id LIMIT 1)
  UNION ALL
  SELECT next.lane, next.tenant_id, next.id, next.run_at, turn.n + 1 FROM turn CROSS JOIN LATERAL (
    SELECT lane, tenant_id, id, run_at FROM jobs
    WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued'
      AND (lane, tenant_id) > (turn.lane, turn.tenant_id)
    ORDER BY lane, tenant_id, id LIMIT 1) next
  WHERE turn.n < {MAX_AT_ONCE})
SELECT
  (SELECT count(*) FROM (SELECT FROM jobs WHERE queue = %(queue)s AND wake_at IS NOT NULL AND state = 'queued'
    LIMIT {MAX_COUNTED}) waiting),
  coalesce((SELECT extract(epoch FROM now() - min(run_at)) FROM turn), 0)::float8
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Which kinds of work the sweeper has."""

    lost: bool
    scheduled: bool
    retries: bool
    waiting: bool
    held: bool
    capped: bool
    schedules: bool
    replays: bool
    queues: tuple[str, ...]
    """Queues with jobs that wait for a worker."""


@dataclass(frozen=True, slots=True)
class Reaped:
    """Jobs taken from dead workers: queued again, or dead."""

    requeued: tuple[Unclaimed, ...]
    buried: tuple[Unclaimed, ...]
    parents: tuple[UUID, ...]
    """The parents of the dead ones, which may wait for them."""


async def look(connection: Connection, *, lease_seconds: float, declare: bool) -> Due:
    """Finds out what the sweeper has to do. With `declare` it first declares workers without a recent heartbeat dead.

    `declare` is False right after an outage of PostgreSQL: no heartbeat could be stored then.
    """
    if declare:
        await connection.execute(_DECLARE_DEAD, {"lease": lease_seconds})
    row = await (await connection.execute(LOOK)).fetchone()
    assert row is not None
    lost, scheduled, retries, waiting, above, below, capped, due_schedules, due_replays, queued = row
    return Due(lost, scheduled, retries, waiting, above or below, capped, due_schedules, due_replays, tuple(queued))


async def stage_scheduled(connection: Connection, *, ring_again_seconds: float) -> tuple[list[Unclaimed], list[UUID]]:
    """Queues the scheduled jobs that are due. Returns those that need a doorbell, and the capped ones, which wait to be
    admitted."""
    found = await connection.execute(_COME_DUE, (ring_again_seconds,))
    rows = await found.fetchall()
    return [Unclaimed(*row[:5]) for row in rows if not row[5]], [row[0] for row in rows if row[5]]


async def queue_retries(
    connection: Connection, queue: str | None = None, *, ring_again_seconds: float, late_seconds: float = 0.0
) -> list[Unclaimed]:
    """Queues the retries that are overdue by `late_seconds`, of one queue or all, and returns them."""
    found = await connection.execute(
        _QUEUE_RETRIES, {"queue": queue, "late": late_seconds, "again": ring_again_seconds}
    )
    return [Unclaimed(*row) for row in await found.fetchall()]


class Verdict(NamedTuple):
    """The problem stored with a poison job."""

    problem: str
    """JSON text."""
    failure_text: str
    """The text its fingerprint is made of, beside the kind: see monitoring/errors/fingerprints.py."""


async def reap(connection: Connection, *, poison: Verdict, stall: Verdict) -> Reaped:
    """Takes the jobs of dead workers: queues them again, or makes poison ones dead, with the problem `poison` if their
    worker died and `stall` if their run blocked it."""
    verdicts = {"stall_problem": stall.problem, "stall_text": stall.failure_text, **poison._asdict()}
    found = await connection.execute(_REAP, verdicts)
    rows = await found.fetchall()
    return Reaped(
        requeued=tuple(Unclaimed(*row[:5]) for row in rows if row[5] == "queued"),
        buried=tuple(Unclaimed(*row[:5]) for row in rows if row[5] == "dead"),
        parents=tuple(row[6] for row in rows if row[5] == "dead" and row[6] is not None),
    )


async def resume_waiting(connection: Connection) -> list[Resumed]:
    """Resumes waiting parents whose children have all ended, where the worker didn't; the others are checked again
    later."""
    found = await connection.execute(_WAITING)
    waiting = [job_id for (job_id,) in await found.fetchall()]
    if not waiting:
        return []
    await connection.execute(_WAIT_ON, (waiting,))
    return await resume_parents(connection, waiting)


async def forget(connection: Connection) -> None:
    """Deletes expired idempotency keys, and workers that died a day ago."""
    for _ in range(MAX_ROUNDS_OF_KEYS):
        if (await connection.execute(_FORGET_KEYS)).rowcount < KEYS_AT_ONCE:
            break
    await connection.execute(_FORGET_WORKERS)


async def depth(connection: Connection, queue: str) -> tuple[int, float]:
    """The queue's depth (counted up to MAX_COUNTED), and the age of its oldest waiting job in seconds."""
    row = await (await connection.execute(_DEPTH, {"queue": queue})).fetchone()
    assert row is not None
    return row[0], row[1]


async def alive(connection: Connection) -> int:
    """The number of workers that aren't declared dead."""
    found = await connection.execute("SELECT count(*) FROM workers WHERE dead_at IS NULL")
    row = await found.fetchone()
    assert row is not None
    return int(row[0])
