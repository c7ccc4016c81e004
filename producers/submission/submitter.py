"""Submits commands: stores each job and its first event in one transaction, then rings the doorbell.

Concurrent submissions are batched into one statement and one push, so durable acceptance adds little to a request, and a
burst never blocks the event loop.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.celery.message import JobRef
from infrastructure.concurrency.batching import Batcher
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.postgres.documents.jobs import StoredJob
from infrastructure.postgres.jobs.batches import BatchSubmission, Kept, NewBatch, store_batch
from infrastructure.postgres.jobs.claim import SOUGHT_SECONDS
from infrastructure.postgres.jobs.submission import Accepted, NewJob, Submission, is_plain, rehearse, store
from infrastructure.postgres.session import BUS_SESSION, Connection, PostgresSession, Role
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import Redis
from infrastructure.redis.tenant_notifier import TenantNotifier
from infrastructure.settings import Settings
from monitoring.metrics import bus as metrics
from producers.submission.notifier import DoorbellNotifier
from schemas.bounds import check_command
from schemas.commands import Command

T = TypeVar("T")

MAX_TRIES = 3
PAUSE_SECONDS = 0.2
MAX_RUNG_AHEAD = 8
"""The largest batch of plain submissions that is rung for before its commit: see docs/decisions/0008."""
QUICK_COMMIT_SECONDS = 0.01
"""After a slower commit nothing is rung for ahead: under load the workers are busy, and nothing is gained."""
NORMAL_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` of the tenant's jobs with this key are active at a time; the others are capped until one ends."""

    key: str
    limit: int


def concurrency(key: str | None, limit: int | None) -> Concurrency | None:
    return None if key is None or limit is None else Concurrency(key, limit)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Options of one submission; what is None takes the command's default."""

    priority: int = NORMAL_PRIORITY
    run_at: datetime | None = None
    deadline: datetime | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    parent_id: UUID | None = None
    traceparent: str | None = None
    idempotency_key: str | None = None
    max_attempts: int | None = None
    concurrency: Concurrency | None = None
    sent: Command | None = None
    """The command as the client sent it, where the stored one says more: by it a repeated idempotency key is compared."""


ORDINARY = JobOptions()


class Submitter:
    """One per process. Whatever it returns as accepted is committed."""

    def __init__(
        self, session: PostgresSession, redis: Redis, *, ring_again_seconds: float, idempotency_hours: int
    ) -> None:
        self._session = session
        self._doorbell_notifier = DoorbellNotifier(redis, session)
        self._tenant_notifier = TenantNotifier(redis)
        self._ring_again_seconds = ring_again_seconds
        self._idempotency_hours = idempotency_hours
        self._batcher: Batcher[NewJob, Submission] = Batcher(self._store, "submit")
        self._commit_seconds = 0.0
        """How long the last batch took to commit."""

    async def submit(self, tenant_id: UUID, command: Command, options: JobOptions = ORDINARY) -> Submission:
        """Stores the job and returns the outcome after the commit. Safe to repeat with an idempotency key.

        Raises Unavailable when PostgreSQL can't be reached and Overloaded when too many submissions are queued; the job
        may then have been stored or not.
        """
        return await self._batcher.put(new_job(tenant_id, command, options))

    async def submit_all(self, jobs: Sequence[NewJob]) -> list[Submission]:
        """Submits many jobs in one transaction: all of them are committed, or none."""
        submissions = await self._run_with_retries(self._store_statement(jobs))
        self._follow_up(jobs, submissions)
        return submissions

    def ring(self, refs: Iterable[JobRef]) -> None:
        """Rings for jobs that were requeued outside a submission, such as replays, and notifies their tenants."""
        requeued = list(refs)
        self._tenant_notifier.notify(ref.tenant_id for ref in requeued)
        self._doorbell_notifier.ring(requeued)

    def ring_stored(self, stored: Sequence[StoredJob]) -> None:
        """Rings for jobs that were committed with what they are about, and notifies their tenants."""
        refs = [one.ref for one in stored]
        self._doorbell_notifier.ring([one.ref for one in stored if not one.capped])
        if capped := [one.ref.job_id for one in stored if one.capped]:
            self._doorbell_notifier.request_admission(capped)
        self._tenant_notifier.notify(ref.tenant_id for ref in refs)
        self._count(refs)

    async def submit_batch(self, batch: NewBatch, jobs: Sequence[NewJob]) -> BatchSubmission:
        """Submits a batch with its jobs, in one transaction and one push."""
        outcome = await self._run_with_retries(
            lambda connection: store_batch(
                connection,
                batch,
                jobs,
                ring_again_seconds=self._ring_again_seconds,
                idempotency_hours=self._idempotency_hours,
            )
        )
        if isinstance(outcome, Kept):
            self._follow_up(jobs, outcome.submissions)
            self._tenant_notifier.notify([batch.job.tenant_id])
        return outcome

    async def rehearse(self) -> None:
        """Checks that a job could be stored now, over the session that stores them. Raises what `submit` would."""
        await self._session.run(rehearse)

    async def close(self) -> None:
        """Waits until every submission is committed and every push and notification is sent or has failed."""
        await self._batcher.drain()
        await self._doorbell_notifier.close()
        await self._tenant_notifier.close()

    async def _store(self, jobs: Sequence[NewJob]) -> Sequence[Submission | Unstorable]:
        begun_at, rung = time.monotonic(), self._ring_ahead(jobs)
        if rung:
            # Lets the push go out before the statement, which is the faster order.
            await asyncio.sleep(0)
        submissions = await self._store_or_split(jobs, rung_ahead=rung)
        self._commit_seconds = time.monotonic() - begun_at
        self._follow_up(jobs, submissions, rung=rung and self._commit_seconds < SOUGHT_SECONDS)
        return submissions

    def _ring_ahead(self, jobs: Sequence[NewJob]) -> bool:
        """Rings before the commit where that pays: see docs/decisions/0008. Returns whether it did."""
        return (
            self._commit_seconds <= QUICK_COMMIT_SECONDS
            and len(jobs) <= MAX_RUNG_AHEAD
            and all(map(is_plain, jobs))
            and self._doorbell_notifier.ring_ahead(list(map(_job_ref, jobs)))
        )

    def _follow_up(
        self, jobs: Sequence[NewJob], submissions: Sequence[Submission | Unstorable], *, rung: bool = False
    ) -> None:
        outcomes = [(job, one) for job, one in zip(jobs, submissions, strict=True) if isinstance(one, Accepted)]
        accepted = [job for job, _ in outcomes]
        # A worker waits for the doorbell, so it goes before notifications and metrics.
        if not rung:
            self._doorbell_notifier.ring(
                [_job_ref(job) for job, one in outcomes if job.run_at is None and not one.capped]
            )
        if capped := [job.id for job, one in outcomes if one.capped]:
            self._doorbell_notifier.request_admission(capped)
        self._tenant_notifier.notify(job.tenant_id for job in accepted)
        metrics.batch_sent(metrics.Path.SUBMIT, len(jobs))
        self._count(accepted)

    async def _store_or_split(self, jobs: Sequence[NewJob], *, rung_ahead: bool) -> Sequence[Submission | Unstorable]:
        try:
            return await self._run_with_retries(self._store_statement(jobs, rung_ahead=rung_ahead))
        except Unstorable as error:
            # Splits the batch until the submission at fault is alone, so that the others are stored.
            if len(jobs) == 1:
                return [error]
            middle = len(jobs) // 2
            halves = jobs[:middle], jobs[middle:]
            return [one for half in halves for one in await self._store_or_split(half, rung_ahead=rung_ahead)]

    def _store_statement(
        self, jobs: Sequence[NewJob], *, rung_ahead: bool = False
    ) -> Callable[[Connection], Awaitable[list[Submission]]]:
        return lambda connection: store(
            connection,
            jobs,
            ring_again_seconds=self._ring_again_seconds,
            idempotency_hours=self._idempotency_hours,
            rung_ahead=rung_ahead,
        )

    async def _run_with_retries(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        # Safe to repeat when an answer was lost: the ids are made here, so a job is stored once.
        for last in (False,) * (MAX_TRIES - 1) + (True,):
            try:
                return await self._session.run(work)
            except Unavailable:
                if last:
                    raise
                metrics.connection_lost(metrics.Server.POSTGRES)
                await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")

    def _count(self, accepted: Sequence[NewJob | JobRef]) -> None:
        for kind, count in Counter(job.kind for job in accepted).items():
            metrics.jobs_submitted(kind, count)


def new_job(tenant_id: UUID, command: Command, options: JobOptions = ORDINARY) -> NewJob:
    """A new job for the command, with an id of its own. Raises OutOfBounds when the command is too large or too deep."""
    body = command.model_dump_json()
    check_command(body)
    return NewJob(
        id=uuid7(),
        tenant_id=tenant_id,
        kind=command.kind,
        version=command.version,
        queue=command.queue,
        priority=options.priority,
        max_attempts=options.max_attempts or command.max_attempts,
        command=body,
        run_at=options.run_at,
        deadline=options.deadline,
        correlation_id=options.correlation_id,
        causation_id=options.causation_id,
        parent_id=options.parent_id,
        traceparent=options.traceparent,
        idempotency_key=options.idempotency_key,
        body_hash=None if options.idempotency_key is None else _fingerprint(options.sent or command),
        concurrency_key=None if options.concurrency is None else options.concurrency.key,
        concurrency_limit=None if options.concurrency is None else options.concurrency.limit,
    )


def _job_ref(job: NewJob) -> JobRef:
    return JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority)


def _fingerprint(sent: Command) -> bytes:
    # Of what was said only: a release whose commands have a field more must know what one before it was sent.
    return sha256(f"{sent.kind}\n{sent.model_dump_json(exclude_unset=True)}".encode()).digest()


@asynccontextmanager
async def open_submitter(settings: Settings) -> AsyncIterator[Submitter]:
    """Opens a submitter with its own connections. On exit it drains and then closes them."""
    async with AsyncExitStack() as resources:
        redis = redis_client.connect(settings.redis)
        resources.push_async_callback(redis.aclose)
        session = await resources.enter_async_context(
            PostgresSession(settings.database, Role.SUBMIT, "submit", BUS_SESSION)
        )
        submitter = Submitter(
            session,
            redis,
            ring_again_seconds=settings.ring_again_seconds,
            idempotency_hours=settings.idempotency_hours,
        )
        resources.push_async_callback(submitter.close)
        yield submitter
