"""Retention: deletes old jobs in the order of their submission, a bounded range at a time.

The primary key is in that order (UUIDv7), so finding old jobs needs no index of its own, and nothing is written for it
while a job runs. See docs/decisions/0006.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from infrastructure.postgres.session import Connection
from schemas.batches import BATCH_KIND
from schemas.failures import FailedState
from schemas.jobs import TERMINAL, JobState

PASS_SECONDS = 600.0
"""Between two passes over all old jobs. A job that was still needed in one pass is deleted in a later one."""
STRETCH_SECONDS = 0.1
SHORTEST, LONGEST = 100, 5_000

_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_FAILED = ", ".join(f"'{state.value}'" for state in FailedState)


@dataclass(frozen=True, slots=True)
class KeptFor:
    """Retention of one kind: how long its jobs and their results are kept after they end."""

    kind: str
    seconds: float
    failed_seconds: float
    result_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """Retention by kind; `usual` is for all other kinds."""

    usual: KeptFor
    kinds: tuple[KeptFor, ...] = ()

    @property
    def shortest_seconds(self) -> float:
        """The shortest retention: younger jobs needn't be read."""
        every = (self.usual, *self.kinds)
        return min(min(one.seconds, one.failed_seconds, one.result_seconds or one.seconds) for one in every)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one range of the pass removed."""

    jobs: int
    results: int
    objects: tuple[str, ...]
    """Keys of their objects, for the caller to delete. If it dies before, the orphans' walk finds them."""
    more: bool
    """Whether the pass has more to read."""


_HOLD = "SELECT place, now() FROM walks WHERE name = 'retention' AND next_at <= now() FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE walks SET place = %s, next_at = now() + make_interval(secs => %s) WHERE name = 'retention'"

# A child stays until its parent is deleted, and a parent until its children have ended, so neither refers to a missing
# job. A batch keeps its jobs' counts once it has ended, so they are deleted on their own schedule, and the batch, whose
# id lists them, stays until the last is gone. A locked job is being replayed: the next pass reads it again.
_REMOVE = f"""
WITH rules AS (SELECT * FROM unnest(%(kinds)s::text[], %(seconds)s::float8[], %(failed_seconds)s::float8[],
    %(result_seconds)s::float8[]) AS r (kind, seconds, failed_seconds, result_seconds)),
walked AS (
  SELECT id FROM jobs WHERE id > %(after)s AND id < %(horizon)s ORDER BY id LIMIT %(most)s),
old AS (
  SELECT j.id, j.kind, j.parent_id, j.finished_at, j.result IS NOT NULL OR EXISTS (
      SELECT 1 FROM job_objects o WHERE o.job_id = j.id) AS has_result, j.finished_at < now() - make_interval(
      secs => CASE WHEN j.state IN ({_FAILED}) THEN coalesce(r.failed_seconds, %(usual_failed_seconds)s)
        ELSE coalesce(r.seconds, %(usual_seconds)s) END) AS due,
    j.finished_at < now() - make_interval(secs => coalesce(r.result_seconds, %(usual_result_seconds)s)) AS result_due
  FROM walked w JOIN jobs j ON j.id = w.id LEFT JOIN rules r ON r.kind = j.kind
  WHERE j.state IN ({_ENDED}) AND j.finished_at IS NOT NULL),
due AS (
  SELECT j.id FROM old o JOIN jobs j ON j.id = o.id AND j.finished_at = o.finished_at
  WHERE o.due AND j.state IN ({_ENDED})
    AND NOT EXISTS (
      SELECT 1 FROM jobs p WHERE p.id = o.parent_id AND (p.kind <> '{BATCH_KIND}' OR p.state NOT IN ({_ENDED})))
    AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = o.id AND c.state NOT IN ({_ENDED}))
    AND (o.kind <> '{BATCH_KIND}' OR NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent_id = o.id))
  FOR UPDATE OF j SKIP LOCKED),
gone AS (DELETE FROM jobs j USING due WHERE j.id = due.id RETURNING j.id, j.tenant_id),
events AS (DELETE FROM job_events e USING gone WHERE e.job_id = gone.id),
answers AS (DELETE FROM ai_answers a USING gone WHERE a.tenant_id = gone.tenant_id AND a.job_id = gone.id),
sections AS (DELETE FROM ai_sections s USING gone WHERE s.tenant_id = gone.tenant_id AND s.job_id = gone.id),
tickets AS (DELETE FROM ai_batches b USING gone WHERE b.tenant_id = gone.tenant_id AND b.job_id = gone.id),
expired AS (
  UPDATE jobs j SET result = NULL FROM old o
  WHERE j.id = o.id AND j.finished_at = o.finished_at AND o.result_due AND o.has_result AND NOT o.due AND j.state = '{JobState.SUCCEEDED}'
  RETURNING j.id),
blanked AS (
  UPDATE job_events e SET data = NULL FROM expired x WHERE e.job_id = x.id AND e.type NOT LIKE 'job.%%'),
objects AS (
  DELETE FROM job_objects o USING (SELECT id FROM gone UNION ALL SELECT id FROM expired) x WHERE o.job_id = x.id
  RETURNING o.key)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM expired), (SELECT count(*) FROM walked),
  (SELECT id FROM walked ORDER BY id DESC LIMIT 1),
  (SELECT array_agg(key) FROM objects)
"""


async def remove_old(connection: Connection, retention: Retention, *, limit: int) -> Removed | None:
    """Reads the next `limit` jobs, and deletes those that are due with everything that belongs to them.

    None when no pass is due, or another dispatcher runs it. The deletions and the cursor are committed together.
    Idempotency keys need no check: a job stays at least until its key has expired.
    """
    async with connection.transaction():
        found = await connection.execute(_HOLD)
        held = await found.fetchone()
        if held is None:
            return None
        after = UUID(held[0]) if held[0] else UUID(int=0)
        horizon = held[1] - timedelta(seconds=retention.shortest_seconds)
        found = await connection.execute(_REMOVE, _wanted(retention, after, horizon, limit))
        row = await found.fetchone()
        assert row is not None
        jobs, results, walked, last, objects = row
        more = walked == limit
        await connection.execute(_MOVE, (str(last) if more else "", 0.0 if more else PASS_SECONDS))
        return Removed(jobs, results, tuple(objects or ()), more)


def next_stretch(limit: int, seconds: float) -> int:
    """How many jobs to read next, when `limit` took this long: aims at STRETCH_SECONDS."""
    if seconds > 2 * STRETCH_SECONDS:
        return max(SHORTEST, limit // 2)
    return min(LONGEST, limit * 2) if seconds < STRETCH_SECONDS / 2 else limit


def _wanted(retention: Retention, after: UUID, horizon: datetime, limit: int) -> dict[str, object]:
    kinds: Sequence[KeptFor] = retention.kinds
    usual = retention.usual
    return {
        "kinds": [one.kind for one in kinds],
        "seconds": [one.seconds for one in kinds],
        "failed_seconds": [one.failed_seconds for one in kinds],
        "result_seconds": [one.result_seconds for one in kinds],
        "usual_seconds": usual.seconds,
        "usual_failed_seconds": usual.failed_seconds,
        "usual_result_seconds": usual.result_seconds,
        "after": after,
        "horizon": first_id_of(horizon),
        "most": limit,
    }


def first_id_of(moment: datetime) -> UUID:
    """The least UUIDv7 of that time: they begin with 48 bits of milliseconds (RFC 9562)."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)
