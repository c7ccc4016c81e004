"""What brings a job on when nobody else does: rings again, wakes what is due, and takes jobs from dead workers.

Every statement may run in any number of dispatchers at once.
"""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from infrastructure.postgres.connections import Connection
from infrastructure.postgres.settling import RESUME_PARENTS

MOST_AT_ONCE = 1_000
CRASHES_ALLOWED = 2
"""A job in whose runs this many processes have died is poison."""
WAIT_CHECK_SECONDS = 15


class Bell(NamedTuple):
    """A job that should be rung."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int


_COME_DUE = f"""
WITH c AS (
  SELECT id FROM jobs WHERE wake_at <= now() AND state = 'scheduled'
  ORDER BY wake_at LIMIT {MOST_AT_ONCE} FOR UPDATE SKIP LOCKED),
u AS (
  UPDATE jobs j SET state = 'queued', seq = j.seq + 1, wake_at = now() + make_interval(secs => %s) FROM c
  WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq),
e AS (INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT id, seq, tenant_id, 'job.queued' FROM u)
SELECT id, tenant_id, kind, queue, priority FROM u
"""

# Retries are rung by the worker that failed them. What is due here is one whose worker went away or that waited long;
# it is rung however long the queue is, and so it is moved on.
_RETRY = f"""
WITH c AS (
  SELECT id FROM jobs WHERE wake_at <= now() AND state = 'retrying'
  ORDER BY wake_at LIMIT {MOST_AT_ONCE} FOR UPDATE SKIP LOCKED)
UPDATE jobs j SET wake_at = now() + make_interval(secs => %s) FROM c
WHERE j.id = c.id RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority
"""

_DECLARE_DEAD = """
UPDATE workers SET dead_at = now() WHERE dead_at IS NULL AND heartbeat_at < now() - make_interval(secs => %(lease)s)
"""

# All dead workers are joined, not only those just found: a claim that raced the line above may have landed on one.
# A suspect is a job in whose run a process died before. It is charged before it runs again (see `claiming.charge`), so its
# count says here whether it ran; the others of a dead worker are charged only where no suspect ran, so that one
# poisonous job doesn't take its neighbours with it.
_REAP = f"""
WITH lost AS (
  SELECT j.id, j.lease_token, j.crashes + (j.crashes = 0 AND NOT bool_or(j.crashes >= {CRASHES_ALLOWED})
    OVER (PARTITION BY j.lease_worker))::int AS crashes
  FROM workers w JOIN jobs j ON j.lease_worker = w.id WHERE w.dead_at IS NOT NULL),
c AS (
  SELECT j.id, lost.lease_token, lost.crashes, lost.crashes >= {CRASHES_ALLOWED} AS poison
  FROM lost JOIN jobs j ON j.id = lost.id AND j.lease_token = lost.lease_token ORDER BY j.id FOR UPDATE OF j SKIP LOCKED),
u AS (
  UPDATE jobs j SET crashes = c.crashes, lease_token = NULL, lease_worker = NULL, seq = j.seq + 1,
    state = CASE WHEN c.poison THEN 'dead' ELSE 'queued' END,
    wake_at = CASE WHEN NOT c.poison THEN now() END,
    finished_at = CASE WHEN c.poison THEN now() END,
    problem = CASE WHEN c.poison THEN %s::jsonb END
  FROM c WHERE j.id = c.id AND j.lease_token = c.lease_token
  RETURNING j.id, j.tenant_id, j.kind, j.queue, j.priority, j.seq, j.state, j.crashes, j.attempt, j.parent_id),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, CASE state WHEN 'dead' THEN 'job.dead' ELSE 'job.requeued' END,
    jsonb_build_object('reason', 'worker lost', 'crashes', crashes, 'attempt', attempt) FROM u)
SELECT id, tenant_id, kind, queue, priority, state, parent_id FROM u
"""

_WAITING = f"""
SELECT id FROM jobs WHERE wake_at <= now() AND state = 'waiting' ORDER BY wake_at LIMIT {MOST_AT_ONCE}
"""
_WAIT_ON = f"""
UPDATE jobs SET wake_at = now() + interval '{WAIT_CHECK_SECONDS} s' WHERE id = ANY(%s) AND state = 'waiting'
"""

_FORGET_KEYS = """
DELETE FROM job_keys WHERE ctid IN (SELECT ctid FROM job_keys WHERE expires_at <= now() LIMIT 5000)
"""
_FORGET_WORKERS = """
DELETE FROM workers w WHERE dead_at < now() - interval '1 day'
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.lease_worker = w.id)
"""
_DEPTH = """
SELECT queue, count(*), coalesce(extract(epoch FROM now() - min(run_at)), 0)::float8
FROM jobs WHERE wake_at IS NOT NULL AND state IN ('queued', 'retrying') AND run_at <= now() GROUP BY queue
"""


@dataclass(frozen=True, slots=True)
class Reaped:
    """What was taken from dead workers."""

    requeued: tuple[Bell, ...]
    buried: tuple[Bell, ...]
    parents: tuple[UUID, ...]
    """Of those buried: they may have waited for it."""


async def come_due(connection: Connection, *, ring_again_seconds: float) -> list[Bell]:
    """Scheduled jobs whose time has come, now queued."""
    found = await connection.execute(_COME_DUE, (ring_again_seconds,))
    return [Bell(*row) for row in await found.fetchall()]


async def due_retries(connection: Connection, *, ring_again_seconds: float) -> list[Bell]:
    """Retries that are due and that nobody rang for."""
    found = await connection.execute(_RETRY, (ring_again_seconds,))
    return [Bell(*row) for row in await found.fetchall()]


async def reap(connection: Connection, *, lease_seconds: float, poison_problem: str, declare: bool = True) -> Reaped:
    """Declares silent workers dead and takes dead ones' jobs: back to the queue, or to the dead letters as poison.

    `declare` is False right after an outage of PostgreSQL: nobody's heart was heard then, so silence proves nothing.
    """
    if declare:
        await connection.execute(_DECLARE_DEAD, {"lease": lease_seconds})
    found = await connection.execute(_REAP, (poison_problem,))
    rows = await found.fetchall()
    return Reaped(
        requeued=tuple(Bell(*row[:5]) for row in rows if row[5] == "queued"),
        buried=tuple(Bell(*row[:5]) for row in rows if row[5] == "dead"),
        parents=tuple(row[6] for row in rows if row[5] == "dead" and row[6] is not None),
    )


async def resume_waiting(connection: Connection) -> list[Bell]:
    """Waiting jobs all of whose children have ended and whom nobody told; the others are looked at again later."""
    found = await connection.execute(_WAITING)
    waiting = [job_id for (job_id,) in await found.fetchall()]
    if not waiting:
        return []
    await connection.execute(_WAIT_ON, (waiting,))
    found = await connection.execute(RESUME_PARENTS, (waiting,))
    return [Bell(*row) for row in await found.fetchall()]


async def forget(connection: Connection) -> None:
    """Removes what has expired: idempotency keys, and workers that died a day ago."""
    await connection.execute(_FORGET_KEYS)
    await connection.execute(_FORGET_WORKERS)


async def depths(connection: Connection) -> list[tuple[str, int, float]]:
    """(queue, jobs that are due and wait, for how many seconds the oldest has been due)."""
    found = await connection.execute(_DEPTH)
    return await found.fetchall()


async def alive(connection: Connection) -> int:
    """How many workers are thought alive."""
    found = await connection.execute("SELECT count(*) FROM workers WHERE dead_at IS NULL")
    row = await found.fetchone()
    assert row is not None
    return int(row[0])
