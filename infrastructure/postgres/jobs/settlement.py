"""Settles runs: one statement ends any number of them with their events, each only if its token still holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from events.batches import BatchCompleted
from events.jobs import JobEvent
from infrastructure.postgres import binary
from infrastructure.postgres.jobs import stored_results
from infrastructure.postgres.jobs.stored_results import StoredResult
from infrastructure.postgres.jobs.submission import NewJob, store
from infrastructure.postgres.prepared import Call, Prepared, fetch_together
from infrastructure.postgres.session import Connection
from schemas.batches import BATCH_KIND
from schemas.jobs import TERMINAL, JobState, Trigger, transition

SUCCEEDED = transition(JobState.RUNNING, Trigger.SUCCEED)


class Settlement(NamedTuple):
    """The outcome of one run. `job_event` is the job's event, `domain_event` that of its work."""

    job_id: UUID
    token: UUID
    state: JobState
    job_event: str
    job_event_data: str | None = None
    domain_event: str | None = None
    result: str | None = None
    """JSON text; also the domain event's data."""
    problem: str | None = None
    fingerprint: str | None = None
    """Of the problem; None for a run that didn't fail."""
    due_seconds: float | None = None
    """Delay until the job may run again, or until the sweeper checks whether its children have ended; None for a job
    that has ended. PostgreSQL adds it to its own time, so the worker needs no clock.

    The worker publishes the doorbell after the delay; the sweeper does if the worker didn't."""
    uncounted: bool = False
    """The run was interrupted by the system, so it doesn't count as an attempt."""
    new_jobs: tuple[NewJob, ...] = ()
    """Stored with it: its children, or the jobs that follow a success."""
    stored: StoredResult | None = None
    """The object that holds a result too large for the row; `result` is None then."""


# By token only: with a predicate on state the planner would scan every running job. The domain event comes first, so
# that a subscriber who stops at the job's end has received it. Only exceptions are returned: the parents, the capped
# jobs, and which settlements took effect if not all did.
_TOLD = """
SELECT count(*), array_agg(parent_id) FILTER (WHERE parent_id IS NOT NULL), array_agg(id) FILTER (WHERE capped),
  CASE WHEN count(*) < %(count)b THEN array_agg(id) END, CASE WHEN count(*) < %(count)b THEN array_agg(token) END FROM u
"""

# Almost every run succeeds, and this statement needs a third of the columns.
_SUCCEED = Prepared(
    "succeed",
    f"""
WITH u AS (
  UPDATE jobs j SET state = '{SUCCEEDED}', seq = j.seq + CASE WHEN d.domain_event IS NULL THEN 1 ELSE 2 END,
    lease_token = NULL, lease_worker = NULL, settled_token = d.token, wake_at = NULL, crashes = 0, finished_at = now(),
    result = d.result::jsonb, problem = NULL, progress = NULL, fingerprint = NULL, failed_at = NULL
  FROM unnest(%(id)b::uuid[], %(token)b::uuid[], %(domain_event)b::text[], %(result)b::text[])
    AS d (id, token, domain_event, result)
  WHERE j.id = d.id AND j.lease_token = d.token
  RETURNING j.id, j.tenant_id, j.seq, j.parent_id, j.concurrency_key IS NOT NULL AS capped, j.result, d.token,
    d.domain_event),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq - 1, tenant_id, domain_event, result FROM u WHERE domain_event IS NOT NULL
  UNION ALL
  SELECT id, seq, tenant_id, '{JobEvent.SUCCEEDED}', NULL FROM u)
{_TOLD}""",
)

_END = Prepared(
    "end",
    f"""
WITH u AS (
  UPDATE jobs j SET state = d.state, seq = j.seq + 1, lease_token = NULL, lease_worker = NULL, settled_token = d.token,
    run_at = coalesce(now() + make_interval(secs => d.due_seconds), j.run_at),
    wake_at = now() + make_interval(secs => d.due_seconds + %(ring_again_seconds)b),
    attempt = j.attempt - d.uncounted, crashes = 0, finished_at = CASE WHEN d.due_seconds IS NULL THEN now() END,
    result = NULL, problem = d.problem::jsonb, progress = CASE WHEN d.due_seconds IS NOT NULL THEN j.progress END,
    fingerprint = d.fingerprint, failed_at = CASE WHEN d.fingerprint IS NOT NULL THEN now() END
  FROM unnest(%(id)b::uuid[], %(token)b::uuid[], %(state)b::text[], %(job_event)b::text[], %(job_event_data)b::text[],
    %(problem)b::text[], %(fingerprint)b::text[], %(due_seconds)b::float8[], %(uncounted)b::int2[])
    AS d (id, token, state, job_event, job_event_data, problem, fingerprint, due_seconds, uncounted)
  WHERE j.id = d.id AND j.lease_token = d.token
  RETURNING j.id, j.tenant_id, j.seq, j.parent_id, j.concurrency_key IS NOT NULL AS capped, d.token, d.job_event,
    d.job_event_data, j.run_at),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, seq, tenant_id, job_event, CASE WHEN job_event = '{JobEvent.RETRYING}' THEN job_event_data::jsonb
    || jsonb_build_object('due', run_at)
    ELSE job_event_data::jsonb END FROM u)
{_TOLD}""",
)

_SETTLED_BEFORE = """
SELECT j.id, d.token, j.parent_id, j.concurrency_key IS NOT NULL
FROM unnest(%b::uuid[], %b::uuid[]) AS d (id, token) JOIN jobs j ON j.id = d.id
WHERE j.settled_token = d.token
"""

_ENDED = ", ".join(f"'{state}'" for state in sorted(TERMINAL))

# A job's end is the last entry of its timeline, unless it is replayed.
_DISCARD = f"""
WITH u AS (
  UPDATE jobs j SET seq = j.seq + 1 FROM unnest(%b::uuid[]) AS d (id)
  WHERE j.id = d.id AND j.state NOT IN ({_ENDED}) RETURNING j.id, j.tenant_id, j.seq)
INSERT INTO job_events (job_id, seq, tenant_id, type, data)
SELECT id, seq, tenant_id, '{JobEvent.DISCARDED}', jsonb_build_object('worker', %s::text) FROM u
"""

_RESUMED = transition(JobState.WAITING, Trigger.RESUME)
_COMPLETED = transition(JobState.WAITING, Trigger.SUCCEED)
# The index `jobs_unfinished_child` has no children that have ended, so this costs the same for a batch of two and of a
# thousand. It selects the first in the index's order, since for EXISTS the planner may read all of them.
_COUNTS = ", ".join(f"'{state}', count(*) FILTER (WHERE c.state = '{state}')" for state in sorted(TERMINAL))

# Runs after the children's ends are committed, so that the last child to end sees all the others ended. If the process
# dies in between, the sweeper finds the parent by its `wake_at`. A job with a handler is queued again; a batch has
# none, so it succeeds.
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
    """A parent whose children have all ended: queued again, or succeeded if it is a batch."""

    job_id: UUID
    tenant_id: UUID
    kind: str
    queue: str
    priority: int
    state: str

    @property
    def runs_again(self) -> bool:
        """Whether it needs a doorbell; a batch doesn't."""
        return self.state == _RESUMED


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of a call to `settle`."""

    late: tuple[Settlement, ...]
    """Settlements whose fencing token was no longer valid: nothing of them was stored."""
    parents: tuple[UUID, ...]
    """The parents of the jobs that were settled."""
    capped: tuple[UUID, ...]
    """The settled jobs whose end may admit another capped job."""

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(self.late + other.late, self.parents + other.parents, self.capped + other.capped)


NOTHING = Settled((), (), ())


class _Effect(NamedTuple):
    """The row a settling statement returns: how many took effect, and which if not all did."""

    effective: int
    parents: list[UUID] | None
    capped: list[UUID] | None
    job_ids: list[UUID] | None
    tokens: list[UUID] | None


async def settle(connection: Connection, settlements: Sequence[Settlement], *, ring_again_seconds: float) -> Settled:
    """Settles the runs, all or none. Safe to repeat: the second time all are late, and `settled_before` returns which
    had taken effect."""
    if not any(one.stored or one.new_jobs for one in settlements):
        return await _end(connection, settlements, ring_again_seconds)
    async with connection.transaction():
        settled = await _end(connection, settlements, ring_again_seconds)
        late = set(map(id, settled.late))
        effective = [one for one in settlements if id(one) not in late]
        if stored := [(one.job_id, one.stored) for one in effective if one.stored]:
            await stored_results.keep(connection, stored)
        if new_jobs := [job for one in effective for job in one.new_jobs]:
            await store(connection, new_jobs, ring_again_seconds=ring_again_seconds, idempotency_hours=1)
        return settled


async def settled_before(connection: Connection, settlements: Sequence[Settlement]) -> Settled:
    """Which settlements took effect in an earlier call whose reply was lost."""
    named = ([one.job_id for one in settlements], [one.token for one in settlements])
    rows = await (await connection.execute(_SETTLED_BEFORE, named)).fetchall()
    effective = {(job_id, token) for job_id, token, *_ in rows}
    late = tuple(one for one in settlements if (one.job_id, one.token) not in effective)
    parents = tuple(parent_id for _, _, parent_id, _ in rows if parent_id is not None)
    return Settled(late, parents, tuple(job_id for job_id, *_, capped in rows if capped))


async def record_discarded(connection: Connection, job_ids: Sequence[UUID], worker_id: UUID) -> None:
    """Adds an event to the unended jobs: a late outcome of this worker was discarded."""
    await connection.execute(_DISCARD, (list(job_ids), str(worker_id)))


async def resume_parents(connection: Connection, parents: Sequence[UUID]) -> list[Resumed]:
    """Resumes the waiting parents whose children have all ended, and returns them: queued again, or succeeded if
    batches."""
    found = await connection.execute(RESUME_PARENTS, (list(parents),))
    return list(map(Resumed._make, await found.fetchall()))


async def _end(connection: Connection, settlements: Sequence[Settlement], ring_again_seconds: float) -> Settled:
    succeeded = [one for one in settlements if one.state is SUCCEEDED]
    others = [one for one in settlements if one.state is not SUCCEEDED]
    calls: list[tuple[Sequence[Settlement], Call]] = []
    if succeeded:
        calls.append((succeeded, _succeed_call(succeeded)))
    if others:
        calls.append((others, _end_call(others, ring_again_seconds)))
    answers = await fetch_together(connection, *(call for _, call in calls))
    settled = [_settled(_Effect._make(row), some) for (some, _), (row,) in zip(calls, answers, strict=True)]
    return sum(settled, NOTHING)


def _succeed_call(settlements: Sequence[Settlement]) -> Call:
    return _SUCCEED(
        id=binary.uuids([one.job_id.bytes for one in settlements]),
        token=binary.uuids([one.token.bytes for one in settlements]),
        domain_event=binary.texts([one.domain_event for one in settlements]),
        result=binary.texts([one.result for one in settlements]),
        count=binary.bigint(len(settlements)),
    )


def _end_call(settlements: Sequence[Settlement], ring_again_seconds: float) -> Call:
    return _END(
        id=binary.uuids([one.job_id.bytes for one in settlements]),
        token=binary.uuids([one.token.bytes for one in settlements]),
        state=binary.texts([one.state.value for one in settlements]),
        job_event=binary.texts([one.job_event for one in settlements]),
        job_event_data=binary.texts([one.job_event_data for one in settlements]),
        problem=binary.texts([one.problem for one in settlements]),
        fingerprint=binary.texts([one.fingerprint for one in settlements]),
        due_seconds=binary.doubles([one.due_seconds for one in settlements]),
        uncounted=binary.smallints([one.uncounted for one in settlements]),
        ring_again_seconds=binary.double(ring_again_seconds),
        count=binary.bigint(len(settlements)),
    )


def _settled(effect: _Effect, settlements: Sequence[Settlement]) -> Settled:
    parents, capped = tuple(effect.parents or ()), tuple(effect.capped or ())
    if effect.effective == len(settlements):
        return Settled((), parents, capped)
    effective = set(zip(effect.job_ids or (), effect.tokens or (), strict=True))
    late = tuple(one for one in settlements if (one.job_id, one.token) not in effective)
    return Settled(late, parents, capped)
