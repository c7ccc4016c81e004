"""Settles runs: one statement ends any number of them with their events, each only if its token still holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from events.batches import BatchCompleted
from events.jobs import JobEvent
from infrastructure.postgres.connections import Connection
from infrastructure.postgres.submission import NewJob, store
from schemas.batches import BATCH_KIND
from schemas.jobs import TERMINAL, JobState, Trigger, transition


class Settlement(NamedTuple):
    """What became of one run. `job_event` tells of the job, `domain_event` of what its work brought about."""

    job_id: UUID
    token: UUID
    state: JobState
    job_event: str
    job_event_data: str | None = None
    domain_event: str | None = None
    result: str | None = None
    """JSON text; also the domain event's data."""
    problem: str | None = None
    due: datetime | None = None
    """When the job may run again, or a sweeper looks whether its children have ended; None for one that has ended.

    Whoever settles rings at that time; a sweeper does when nobody did."""
    uncounted: bool = False
    """The run was interrupted by us, so it isn't an attempt."""
    children: tuple[NewJob, ...] = ()


# By token and nothing else: with a predicate on state the planner would scan every running job. The domain event comes
# first, so that a watcher who stops at the job's end has seen it.
_SETTLE = """
WITH d AS (SELECT * FROM unnest(%(id)b::uuid[], %(token)b::uuid[], %(state)b::text[], %(job_event)b::text[],
    %(job_event_data)b::text[], %(domain_event)b::text[], %(result)b::text[], %(problem)b::text[],
    %(due)b::timestamptz[], %(finished)b::bool[], %(uncounted)b::int2[])
  d (id, token, state, job_event, job_event_data, domain_event, result, problem, due, finished, uncounted)),
u AS (
  UPDATE jobs j SET state = d.state, seq = j.seq + CASE WHEN d.domain_event IS NULL THEN 1 ELSE 2 END,
    lease_token = NULL, lease_worker = NULL, settled_token = d.token, run_at = coalesce(d.due, j.run_at),
    wake_at = d.due + make_interval(secs => %(ring_again_seconds)s),
    attempt = j.attempt - d.uncounted, crashes = 0, finished_at = CASE WHEN d.finished THEN now() END,
    result = d.result::jsonb, problem = d.problem::jsonb, progress = CASE WHEN NOT d.finished THEN j.progress END
  FROM d WHERE j.id = d.id AND j.lease_token = d.token
  RETURNING j.id, j.tenant_id, j.seq, j.parent_id, j.queue, j.priority, j.result,
    d.token, d.job_event, d.job_event_data, d.domain_event),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq - 1, tenant_id, domain_event, result FROM u WHERE domain_event IS NOT NULL
  UNION ALL
  SELECT id, seq, tenant_id, job_event, job_event_data::jsonb FROM u)
SELECT id, token, tenant_id, parent_id FROM u
"""

_SETTLED_BEFORE = """
SELECT j.id, d.token, j.tenant_id, j.parent_id FROM unnest(%b::uuid[], %b::uuid[]) AS d (id, token) JOIN jobs j ON j.id = d.id
WHERE j.settled_token = d.token
"""

_DISCARD = """
WITH u AS (
  UPDATE jobs j SET seq = j.seq + 1 FROM unnest(%b::uuid[]) AS d (id) WHERE j.id = d.id RETURNING j.id, j.tenant_id, j.seq)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, seq, tenant_id, 'job.discarded', jsonb_build_object('worker', %s::text) FROM u
"""

_RESUMED = transition(JobState.WAITING, Trigger.RESUME)
_COMPLETED = transition(JobState.WAITING, Trigger.SUCCEED)
# As the predicate of the index `jobs_unfinished_child` has it, which holds nothing of the children that have ended: the
# question costs the same for a batch of two and of a thousand. Asked for the first in the index's order, since for
# "whether any exists" the planner may read all of them.
_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_COUNTS = ", ".join(f"'{state}', count(*) FILTER (WHERE c.state = '{state}')" for state in sorted(TERMINAL))

# Runs after the children's ends are committed, so that the last of several to end sees all the others ended. When the
# process dies in between, the parent's own `wake_at` brings the sweeper to it. A job with a handler goes on; a batch has
# none, so it is done.
RESUME_PARENTS = f"""
WITH p AS (
  SELECT id, kind = '{BATCH_KIND}' AS batch FROM jobs j WHERE id = ANY(%b::uuid[]) AND state = '{JobState.WAITING}'
    AND (SELECT c.id FROM jobs c WHERE c.parent_id = j.id AND c.state NOT IN ({_ENDED})
      ORDER BY c.parent_id, c.id LIMIT 1) IS NULL
  ORDER BY id FOR UPDATE SKIP LOCKED),
r AS (
  SELECT c.parent_id AS id, jsonb_build_object('total', count(*), {_COUNTS}) AS result
  FROM p JOIN jobs c ON c.parent_id = p.id WHERE p.batch GROUP BY c.parent_id),
u AS (
  UPDATE jobs j SET state = CASE WHEN p.batch THEN '{_COMPLETED}' ELSE '{_RESUMED}' END,
    seq = j.seq + CASE WHEN p.batch THEN 2 ELSE 1 END, wake_at = CASE WHEN NOT p.batch THEN now() END,
    run_at = CASE WHEN p.batch THEN j.run_at ELSE now() END, finished_at = CASE WHEN p.batch THEN now() END,
    result = r.result
  FROM p LEFT JOIN r ON r.id = p.id
  WHERE j.id = p.id RETURNING j.id, j.tenant_id, j.seq, j.kind, j.queue, j.priority, j.state, j.result, p.batch),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq - 1, tenant_id, '{BatchCompleted.type}', result FROM u WHERE batch
  UNION ALL
  SELECT id, seq, tenant_id, CASE WHEN batch THEN '{JobEvent.SUCCEEDED}' ELSE '{JobEvent.RESUMED}' END, NULL FROM u)
SELECT id, tenant_id, kind, queue, priority, state FROM u
"""


class Resumed(NamedTuple):
    """A job that has waited for its children and does so no longer."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int
    state: str

    @property
    def runs_again(self) -> bool:
        """Whether to ring for it; a batch is done instead."""
        return self.state == _RESUMED


class Settled(NamedTuple):
    """A settlement that took effect."""

    job_id: UUID
    token: UUID
    tenant_id: UUID
    parent_id: UUID | None


async def settle(
    connection: Connection, settlements: Sequence[Settlement], *, ring_again_seconds: float
) -> list[Settled]:
    """Those that took effect; the tokens of the others no longer held, so nothing of them was stored. Safe to repeat:
    the second time, none takes effect, and `settled_before` tells which had."""
    if any(settlement.children for settlement in settlements):
        async with connection.transaction():
            settled = await _end(connection, settlements, ring_again_seconds)
            effective = {one.token for one in settled}
            children = [child for one in settlements if one.token in effective for child in one.children]
            if children:
                await store(connection, children, ring_again_seconds=ring_again_seconds, idempotency_hours=1)
            return settled
    return await _end(connection, settlements, ring_again_seconds)


async def settled_before(connection: Connection, settlements: Sequence[Settlement]) -> list[Settled]:
    """Those that had taken effect already, when the first answer was lost."""
    named = ([one.job_id for one in settlements], [one.token for one in settlements])
    found = await connection.execute(_SETTLED_BEFORE, named)
    return list(map(Settled._make, await found.fetchall()))


async def record_discarded(connection: Connection, job_ids: Sequence[UUID], worker_id: UUID) -> None:
    """Notes in the jobs' timelines that a late outcome of this worker had no effect."""
    await connection.execute(_DISCARD, (list(job_ids), str(worker_id)))


async def resume_parents(connection: Connection, parents: Sequence[UUID]) -> list[Resumed]:
    """Those of the jobs that waited and all of whose children have ended: queued again, or as batches completed."""
    found = await connection.execute(RESUME_PARENTS, (list(parents),))
    return list(map(Resumed._make, await found.fetchall()))


async def _end(connection: Connection, settlements: Sequence[Settlement], ring_again_seconds: float) -> list[Settled]:
    found = await connection.execute(
        _SETTLE, {**_arrays(settlements), "ring_again_seconds": ring_again_seconds}, binary=True
    )
    return list(map(Settled._make, await found.fetchall()))


def _arrays(settlements: Sequence[Settlement]) -> dict[str, object]:
    return {
        "id": [one.job_id for one in settlements],
        "token": [one.token for one in settlements],
        "state": [one.state.value for one in settlements],
        "job_event": [one.job_event for one in settlements],
        "job_event_data": [one.job_event_data for one in settlements],
        "domain_event": [one.domain_event for one in settlements],
        "result": [one.result for one in settlements],
        "problem": [one.problem for one in settlements],
        "due": [one.due for one in settlements],
        "finished": [one.due is None and one.state is not JobState.WAITING for one in settlements],
        "uncounted": [int(one.uncounted) for one in settlements],
    }
