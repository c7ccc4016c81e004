"""Removes what has been kept long enough: walks the jobs in the order they were made, a bounded stretch at a time.

The primary key is that order (UUIDv7), so finding what is old needs no index of its own, and nothing is written for it
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
"""Between two passes over all that is old: what a pass leaves because it was still needed, the next one takes."""
STRETCH_SECONDS = 0.1
SHORTEST, LONGEST = 100, 5_000

_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_FAILED = ", ".join(f"'{state.value}'" for state in FailedState)


@dataclass(frozen=True, slots=True)
class KeptFor:
    """How long one kind's jobs stay after their end, and how long their results do."""

    kind: str
    seconds: float
    failed_seconds: float
    result_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long jobs stay. `usual` is for kinds that aren't named."""

    usual: KeptFor
    kinds: tuple[KeptFor, ...] = ()

    @property
    def shortest_seconds(self) -> float:
        """Nothing younger has to be looked at."""
        every = (self.usual, *self.kinds)
        return min(min(one.seconds, one.failed_seconds, one.result_seconds or one.seconds) for one in every)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one stretch of the walk came to."""

    jobs: int
    results: int
    objects: tuple[str, ...]
    """What lay in the object store for them; whoever removes these next may die first: the orphans' walk finds them."""
    more: bool
    """Whether the pass goes on."""


_HOLD = "SELECT place, now() FROM walks WHERE name = 'retention' AND next_at <= now() FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE walks SET place = %s, next_at = now() + make_interval(secs => %s) WHERE name = 'retention'"

# A child stays until its parent has gone, and a parent until its children have ended, so neither is ever told of a job
# that isn't there. A batch is told of none: once it has ended it knows how its jobs did, so they leave in their own time,
# and the batch, by whose id they are found, stays for the last of them. What is locked is being replayed or read for it: the next pass looks again.
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
gone AS (DELETE FROM jobs j USING due WHERE j.id = due.id RETURNING j.id),
events AS (DELETE FROM job_events e USING gone WHERE e.job_id = gone.id),
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


async def remove_old(connection: Connection, retention: Retention, *, most: int) -> Removed | None:
    """Looks at the next `most` jobs, and removes those that are due with all that belongs to them.

    None when there is nothing to do now, or another dispatcher does it. All of a stretch is committed together with the
    place it ends at. Idempotency keys need no look: a job stays at least until its key has expired.
    """
    async with connection.transaction():
        found = await connection.execute(_HOLD)
        held = await found.fetchone()
        if held is None:
            return None
        after = UUID(held[0]) if held[0] else UUID(int=0)
        horizon = held[1] - timedelta(seconds=retention.shortest_seconds)
        found = await connection.execute(_REMOVE, _wanted(retention, after, horizon, most))
        row = await found.fetchone()
        assert row is not None
        jobs, results, walked, last, objects = row
        more = walked == most
        await connection.execute(_MOVE, (str(last) if more else "", 0.0 if more else PASS_SECONDS))
        return Removed(jobs, results, tuple(objects or ()), more)


def next_stretch(most: int, seconds: float) -> int:
    """How many jobs to look at next, when `most` took so long: about a tenth of a second's worth."""
    if seconds > 2 * STRETCH_SECONDS:
        return max(SHORTEST, most // 2)
    return min(LONGEST, most * 2) if seconds < STRETCH_SECONDS / 2 else most


def _wanted(retention: Retention, after: UUID, horizon: datetime, most: int) -> dict[str, object]:
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
        "most": most,
    }


def first_id_of(moment: datetime) -> UUID:
    """Sorts before every UUIDv7 of that moment: they begin with 48 bits of milliseconds (RFC 9562)."""
    return UUID(int=int(moment.timestamp() * 1_000) << 80)
