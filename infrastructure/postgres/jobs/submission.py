"""Submits jobs: one statement stores any number of them with their first events, in the submitter's role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from events.jobs import JobEvent
from infrastructure.celery.keys import LOWEST_NORMAL, LOWEST_URGENT, NORMAL_STEP, PATIENT_STEP, URGENT_STEP, step_of
from infrastructure.postgres import binary
from infrastructure.postgres.prepared import Prepared, fetch
from infrastructure.postgres.session import Connection
from schemas.jobs import LIMIT

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to submit. The submitter makes its id, so storing it twice stores it once."""

    id: UUID
    tenant_id: UUID
    kind: str
    version: int
    queue: str
    priority: int
    max_attempts: int
    command: str
    """JSON text."""
    run_at: datetime | None = None
    deadline: datetime | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    parent_id: UUID | None = None
    traceparent: str | None = None
    idempotency_key: str | None = None
    body_hash: bytes | None = None
    concurrency_key: str | None = None
    concurrency_limit: int | None = None
    """How many of the tenant's jobs with that key may be in flight at a time."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored by this submission."""

    job_id: UUID
    capped: bool = False
    """Whether its concurrency limit is reached: it waits to be admitted, and needs no doorbell yet."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The idempotency key was used before with the same body: this is the job it made."""

    job_id: UUID


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key was used before with another body."""

    job_id: UUID


Submission = Accepted | Repeated | KeyReused

_COLUMNS = """(
  %(id)b::uuid[], %(tenant_id)b::uuid[], %(kind)b::text[], %(version)b::int2[], %(queue)b::text[], %(priority)b::int2[],
  %(max_attempts)b::int2[], %(command)b::text[], %(run_at)b::timestamptz[], %(deadline)b::timestamptz[],
  %(correlation_id)b::uuid[], %(causation_id)b::uuid[], %(parent_id)b::uuid[],
  %(traceparent)b::text[], %(concurrency_key)b::text[], %(concurrency_limit)b::int4[], %(lock)b::int8[]
) AS s (id, tenant_id, kind, version, queue, priority, max_attempts, command, run_at, deadline,
  correlation_id, causation_id, parent_id, traceparent, concurrency_key, concurrency_limit, lock)"""

# Checks once for a statement whether any tenant is capped, and only then whether this one is.
_CAP = """coalesce(s.concurrency_key, CASE WHEN (SELECT EXISTS (SELECT FROM tenant_limits WHERE most_in_flight IS NOT NULL))
    THEN (SELECT '' FROM tenant_limits l WHERE l.tenant_id = s.tenant_id AND l.most_in_flight IS NOT NULL) END)"""

# The events are made from the inserted rows, so a job that exists already (the same submission repeated after a lost
# connection) gets no second `job.queued`.
_INSERT = (
    """
WITH j AS (
  INSERT INTO jobs (id, tenant_id, kind, version, queue, priority, max_attempts, command, run_at, deadline,
    correlation_id, causation_id, parent_id, traceparent, concurrency_limit, lane, state, concurrency_key, seq, parked,
    wake_at)
  SELECT id, tenant_id, kind, version, queue, priority, max_attempts, command::jsonb, coalesce(run_at, now()), deadline,
    correlation_id, causation_id, parent_id, traceparent, concurrency_limit,
    CASE WHEN priority >= {urgent} THEN {urgent_step} WHEN priority >= {normal} THEN {normal_step} ELSE {patient_step} END,
    CASE WHEN run_at > now() THEN 'scheduled' ELSE 'queued' END,
    cap,
    CASE WHEN run_at > now() OR cap IS NULL THEN 1 ELSE 2 END,
    CASE WHEN run_at > now() OR cap IS NULL THEN NULL ELSE '{limit}' END,
    CASE WHEN run_at > now() THEN run_at WHEN cap IS NULL THEN now() + make_interval(secs => %(ring_again_seconds)b) END
  FROM (SELECT s.*, {cap} AS cap, pg_advisory_xact_lock(s.lock) FROM unnest"""
    + _COLUMNS
    + """ {only} OFFSET 0) s
  ON CONFLICT (id) DO NOTHING
  RETURNING id, tenant_id, kind, queue, state, priority, parked),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, 1, tenant_id, 'job.' || state, jsonb_build_object('kind', kind, 'queue', queue, 'priority', priority) FROM j
  UNION ALL
  SELECT id, 2, tenant_id, '{capped}', NULL FROM j WHERE parked IS NOT NULL)
SELECT id FROM j WHERE parked IS NOT NULL
"""
)
# `lane` is written here and not a generated column: PostgreSQL would compute it again at every update.
_LANES = {
    "urgent": LOWEST_URGENT,
    "urgent_step": URGENT_STEP,
    "normal": LOWEST_NORMAL,
    "normal_step": NORMAL_STEP,
    "patient_step": PATIENT_STEP,
}
_CAPPING = {"cap": _CAP, "limit": LIMIT, "capped": JobEvent.CAPPED}
_INSERT_ALL = Prepared("submit", _INSERT.format(only="", **_LANES, **_CAPPING))
_INSERT_NAMED = Prepared("submit_named", _INSERT.format(only="WHERE id = ANY(%(named)b::uuid[])", **_LANES, **_CAPPING))

# The same for a single plain job: PostgreSQL takes a sixth less for it. It inserts nothing and returns no row where the
# general statement is needed: the tenant is capped, or the job exists already.
_INSERT_LONE = Prepared(
    "submit_lone",
    """
WITH j AS (
  INSERT INTO jobs (id, tenant_id, kind, version, queue, priority, max_attempts, command, run_at, deadline,
    correlation_id, causation_id, parent_id, traceparent, lane, state, seq, wake_at)
  SELECT %(id)b::uuid, %(tenant_id)b::uuid, %(kind)b::text, %(version)b::int2, %(queue)b::text, %(priority)b::int2,
    %(max_attempts)b::int2, %(command)b::text::jsonb, now(), %(deadline)b::timestamptz, %(correlation_id)b::uuid,
    %(causation_id)b::uuid, %(parent_id)b::uuid, %(traceparent)b::text, %(lane)b::int2, 'queued', 1,
    now() + make_interval(secs => %(ring_again_seconds)b)
  FROM (SELECT pg_advisory_xact_lock(%(lock)b::int8)) held
  WHERE NOT EXISTS (
    SELECT FROM tenant_limits l WHERE l.tenant_id = %(tenant_id)b::uuid AND l.most_in_flight IS NOT NULL)
  ON CONFLICT (id) DO NOTHING
  RETURNING id),
e AS (
  INSERT INTO job_events (job_id, seq, tenant_id, type, data)
  SELECT id, 1, %(tenant_id)b::uuid, 'job.queued',
    jsonb_build_object('kind', %(kind)b::text, 'queue', %(queue)b::text, 'priority', %(priority)b::int2) FROM j)
SELECT id FROM j
""",
)

_FORGET_EXPIRED_KEYS = """
DELETE FROM job_keys k USING unnest(%b::uuid[], %b::text[]) AS s (tenant_id, key)
WHERE k.tenant_id = s.tenant_id AND k.key = s.key AND k.expires_at <= now()
"""
_TAKE_KEYS = """
INSERT INTO job_keys (tenant_id, key, job_id, body_hash, expires_at)
SELECT tenant_id, key, job_id, body_hash, now() + make_interval(hours => %s)
FROM unnest(%b::uuid[], %b::text[], %b::uuid[], %b::bytea[]) AS s (tenant_id, key, job_id, body_hash)
ORDER BY tenant_id, key
ON CONFLICT DO NOTHING
"""
_READ_KEYS = """
SELECT k.tenant_id, k.key, k.job_id, k.body_hash
FROM unnest(%b::uuid[], %b::text[]) AS s (tenant_id, key) JOIN job_keys k USING (tenant_id, key)
"""


async def store(
    connection: Connection,
    jobs: Sequence[NewJob],
    *,
    ring_again_seconds: float,
    idempotency_hours: int,
    rung_ahead: bool = False,
) -> list[Submission]:
    """Commits the jobs and returns each one's outcome, in order. Safe to repeat with the same ids.

    With `rung_ahead`, for jobs whose doorbell was published before this commit, a claim can wait for the commit; such
    jobs have no idempotency keys.
    """
    if any(job.idempotency_key is not None for job in jobs):
        return await _store_keyed(connection, jobs, ring_again_seconds, idempotency_hours)
    if len(jobs) == 1 and await _store_lone(connection, jobs[0], ring_again_seconds, rung_ahead=rung_ahead):
        return [Accepted(jobs[0].id)]
    locks = commit_locks([job.id.bytes for job in jobs]) if rung_ahead else None
    rows = await fetch(connection, _INSERT_ALL(**_parameters(jobs, ring_again_seconds), lock=locks))
    capped = {job_id for (job_id,) in rows}
    return [Accepted(job.id, job.id in capped) for job in jobs]


async def rehearse(connection: Connection) -> None:
    """Runs the storing statement for no job, to find out whether this connection may write."""
    await fetch(connection, _INSERT_ALL(**_parameters([], 0.0), lock=None))


def is_plain(job: NewJob) -> bool:
    """Whether the job has no schedule, idempotency key or concurrency key: if accepted, it is queued under its own
    id."""
    return job.run_at is None and job.idempotency_key is None and job.concurrency_key is None


async def _store_lone(connection: Connection, job: NewJob, ring_again_seconds: float, *, rung_ahead: bool) -> bool:
    """Stores a plain job; False when the general statement is needed."""
    if not is_plain(job):
        return False
    call = _INSERT_LONE(
        id=job.id.bytes,
        tenant_id=job.tenant_id.bytes,
        kind=job.kind.encode(),
        version=binary.smallint(job.version),
        queue=job.queue.encode(),
        priority=binary.smallint(job.priority),
        max_attempts=binary.smallint(job.max_attempts),
        command=job.command.encode(),
        deadline=None if job.deadline is None else binary.timestamp(job.deadline),
        correlation_id=None if job.correlation_id is None else job.correlation_id.bytes,
        causation_id=None if job.causation_id is None else job.causation_id.bytes,
        parent_id=None if job.parent_id is None else job.parent_id.bytes,
        traceparent=None if job.traceparent is None else job.traceparent.encode(),
        lane=binary.smallint(step_of(job.priority)),
        ring_again_seconds=binary.double(ring_again_seconds),
        lock=_commit_lock(job.id.bytes) if rung_ahead else None,
    )
    return bool(await fetch(connection, call))


async def _store_keyed(
    connection: Connection, jobs: Sequence[NewJob], ring_again_seconds: float, idempotency_hours: int
) -> list[Submission]:
    async with connection.transaction():
        submissions = await take_keys(connection, jobs, idempotency_hours=idempotency_hours)
        named = binary.uuids([one.job_id.bytes for one in submissions if isinstance(one, Accepted)])
        rows = await fetch(connection, _INSERT_NAMED(**_parameters(jobs, ring_again_seconds), lock=None, named=named))
    capped = {job_id for (job_id,) in rows}
    return [Accepted(one.job_id, capped=True) if one.job_id in capped else one for one in submissions]


def commit_locks(job_ids: Sequence[bytes]) -> bytes:
    """The keys of the advisory locks that a statement holds until these jobs are committed: each id's last eight bytes,
    which are random."""
    return binary.bigints(list(map(_commit_lock, job_ids)))


def _commit_lock(job_id: bytes) -> bytes:
    return job_id[-8:]


async def take_keys(connection: Connection, jobs: Sequence[NewJob], *, idempotency_hours: int) -> list[Submission]:
    """Takes the jobs' idempotency keys and returns each job's outcome. Call it in the transaction that stores the
    jobs."""
    keyed = [job for job in jobs if job.idempotency_key is not None]
    tenants, keys = [job.tenant_id for job in keyed], [job.idempotency_key for job in keyed]
    await connection.execute(_FORGET_EXPIRED_KEYS, (tenants, keys))
    await connection.execute(
        _TAKE_KEYS, (idempotency_hours, tenants, keys, [job.id for job in keyed], [job.body_hash for job in keyed])
    )
    found = await connection.execute(_READ_KEYS, (tenants, keys))
    owners = {(tenant, key): (job_id, body_hash) for tenant, key, job_id, body_hash in await found.fetchall()}
    return [_settle_key(job, owners) for job in jobs]


def _settle_key(job: NewJob, owners: dict[tuple[UUID, str], tuple[UUID, bytes]]) -> Submission:
    if job.idempotency_key is None:
        return Accepted(job.id)
    owner, body_hash = owners[job.tenant_id, job.idempotency_key]
    if owner == job.id:
        return Accepted(job.id)
    return Repeated(owner) if body_hash == job.body_hash else KeyReused(owner)


def _parameters(jobs: Sequence[NewJob], ring_again_seconds: float) -> dict[str, bytes | None]:
    return {
        "id": binary.uuids([job.id.bytes for job in jobs]),
        "tenant_id": binary.uuids([job.tenant_id.bytes for job in jobs]),
        "kind": binary.texts([job.kind for job in jobs]),
        "version": binary.smallints([job.version for job in jobs]),
        "queue": binary.texts([job.queue for job in jobs]),
        "priority": binary.smallints([job.priority for job in jobs]),
        "max_attempts": binary.smallints([job.max_attempts for job in jobs]),
        "command": binary.texts([job.command for job in jobs]),
        "run_at": _unless_empty(binary.timestamps, [job.run_at for job in jobs]),
        "deadline": _unless_empty(binary.timestamps, [job.deadline for job in jobs]),
        "correlation_id": _unless_empty(_ids, [job.correlation_id for job in jobs]),
        "causation_id": _unless_empty(_ids, [job.causation_id for job in jobs]),
        "parent_id": _unless_empty(_ids, [job.parent_id for job in jobs]),
        "traceparent": _unless_empty(binary.texts, [job.traceparent for job in jobs]),
        "concurrency_key": _unless_empty(binary.texts, [job.concurrency_key for job in jobs]),
        "concurrency_limit": _unless_empty(binary.ints, [job.concurrency_limit for job in jobs]),
        "ring_again_seconds": binary.double(ring_again_seconds),
    }


def _unless_empty(written: Callable[[Sequence[T | None]], bytes], values: Sequence[T | None]) -> bytes | None:
    # `unnest` pads a missing array with nulls.
    return None if values.count(None) == len(values) else written(values)


def _ids(values: Sequence[UUID | None]) -> bytes:
    return binary.uuids([None if value is None else value.bytes for value in values])
