"""Takes commands in: a job and its first event in one transaction, then the doorbell.

Submissions of the same moment share one statement and one push, so that durable acceptance costs a request almost
nothing; a burst never blocks the event loop.
"""

import asyncio
import time
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
from infrastructure.postgres.jobs.batches import BatchSubmission, Kept, NewBatch, store_batch
from infrastructure.postgres.jobs.claim import CLAIMS_WAIT_SECONDS
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

TRIES = 3
PAUSE_SECONDS = 0.2
RUNG_AHEAD = 8
"""So few plain submissions are rung for while they are being committed: see docs/decisions/0008."""
QUICK_COMMIT_SECONDS = 0.01
"""Where the last commit took longer there is load, which gains nothing: its workers have enough to do."""
NORMAL_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Of the tenant's jobs with this key at most `limit` are under way at a time; the others wait to be let in."""

    key: str
    limit: int


def concurrency(key: str | None, limit: int | None) -> Concurrency | None:
    return None if key is None or limit is None else Concurrency(key, limit)


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job wants to be treated."""

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


ORDINARY = JobOptions()


class Submitter:
    """One per process. What it accepted is committed."""

    def __init__(
        self, session: PostgresSession, redis: Redis, *, ring_again_seconds: float, idempotency_hours: int
    ) -> None:
        self._session = session
        self._ringer = DoorbellNotifier(redis, session)
        self._tenant_notifier = TenantNotifier(redis)
        self._ring_again_seconds = ring_again_seconds
        self._idempotency_hours = idempotency_hours
        self._batcher: Batcher[NewJob, Submission] = Batcher(self._store, "submit")
        self._commit_seconds = 0.0
        """How long the last batch of single submissions took."""

    async def submit(self, tenant_id: UUID, command: Command, terms: JobOptions = ORDINARY) -> Submission:
        """What became of it, once it is committed. With an idempotency key, repeating it is safe.

        Raises Unavailable when PostgreSQL can't be reached, Overloaded when too many submissions wait already; the job
        may then have been kept or not.
        """
        return await self._batcher.put(new_job(tenant_id, command, terms))

    async def submit_all(self, jobs: Sequence[NewJob]) -> list[Submission]:
        """The same for many at once: all of them are committed together, or none."""
        submissions = await self._insist(self._storing(jobs))
        self._follow_up(jobs, submissions)
        return submissions

    def ring(self, rings: Iterable[JobRef]) -> None:
        """Rings for jobs that were queued again in another way, and tells of them."""
        again = list(rings)
        self._tenant_notifier.notify(ring.tenant_id for ring in again)
        self._ringer.ring(again)

    async def submit_batch(self, batch: NewBatch, jobs: Sequence[NewJob]) -> BatchSubmission:
        """The same with the batch that waits for them, in one transaction and one push."""
        outcome = await self._insist(
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
        """Returns when a job would be kept now, by the very line that keeps them. Raises what submitting one would."""
        await self._session.run(rehearse)

    async def close(self) -> None:
        await self._batcher.drain()
        await self._ringer.close()
        await self._tenant_notifier.close()

    async def _store(self, jobs: Sequence[NewJob]) -> Sequence[Submission | Unstorable]:
        begun_at, rung = time.monotonic(), self._ring_ahead(jobs)
        if rung:
            # The bell goes out before the statement: measured, the other order takes 0.06 of 2.2 ms more.
            await asyncio.sleep(0)
        submissions = await self._keep(jobs, rung_ahead=rung)
        self._commit_seconds = time.monotonic() - begun_at
        self._follow_up(jobs, submissions, rung=rung and self._commit_seconds < CLAIMS_WAIT_SECONDS)
        return submissions

    def _ring_ahead(self, jobs: Sequence[NewJob]) -> bool:
        """Whether they are being rung for already."""
        return (
            self._commit_seconds <= QUICK_COMMIT_SECONDS
            and len(jobs) <= RUNG_AHEAD
            and all(map(is_plain, jobs))
            and self._ringer.ring_ahead(list(map(_ring_for, jobs)))
        )

    def _follow_up(
        self, jobs: Sequence[NewJob], submissions: Sequence[Submission | Unstorable], *, rung: bool = False
    ) -> None:
        outcomes = [(job, one) for job, one in zip(jobs, submissions, strict=True) if isinstance(one, Accepted)]
        accepted = [job for job, _ in outcomes]
        # The ring is what a worker waits for, so it goes before the news and the books.
        if not rung:
            self._ringer.ring([_ring_for(job) for job, one in outcomes if job.run_at is None and not one.parked])
        if parked := [job.id for job, one in outcomes if one.parked]:
            self._ringer.ask_to_let_in(parked)
        self._tenant_notifier.notify(job.tenant_id for job in accepted)
        metrics.batch_sent(metrics.Path.SUBMIT, len(jobs))
        self._count(accepted)

    async def _keep(self, jobs: Sequence[NewJob], *, rung_ahead: bool) -> Sequence[Submission | Unstorable]:
        try:
            return await self._insist(self._storing(jobs, rung_ahead=rung_ahead))
        except Unstorable as error:
            # One submission must not spoil those that happened to come at the same moment.
            if len(jobs) == 1:
                return [error]
            middle = len(jobs) // 2
            halves = jobs[:middle], jobs[middle:]
            return [one for half in halves for one in await self._keep(half, rung_ahead=rung_ahead)]

    def _storing(
        self, jobs: Sequence[NewJob], *, rung_ahead: bool = False
    ) -> Callable[[Connection], Awaitable[list[Submission]]]:
        return lambda connection: store(
            connection,
            jobs,
            ring_again_seconds=self._ring_again_seconds,
            idempotency_hours=self._idempotency_hours,
            rung_ahead=rung_ahead,
        )

    async def _insist(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        # The ids are ours, so what was stored and whose answer was lost can be sent again: it is stored once.
        for last in (False,) * (TRIES - 1) + (True,):
            try:
                return await self._session.run(work)
            except Unavailable:
                if last:
                    raise
                metrics.connection_lost(metrics.Server.POSTGRES)
                await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")

    def _count(self, accepted: list[NewJob]) -> None:
        kinds: dict[str, int] = {}
        for job in accepted:
            kinds[job.kind] = kinds.get(job.kind, 0) + 1
        for kind, count in kinds.items():
            metrics.jobs_submitted(kind, count)


def new_job(tenant_id: UUID, command: Command, terms: JobOptions = ORDINARY) -> NewJob:
    """The command as a job with an id of its own. OutOfBounds when it is larger or deeper than what is kept."""
    body = command.model_dump_json()
    check_command(body)
    return NewJob(
        id=uuid7(),
        tenant_id=tenant_id,
        kind=command.kind,
        version=command.version,
        queue=command.queue.value,
        priority=terms.priority,
        max_attempts=terms.max_attempts or command.max_attempts,
        command=body,
        run_at=terms.run_at,
        deadline=terms.deadline,
        correlation_id=terms.correlation_id,
        causation_id=terms.causation_id,
        parent_id=terms.parent_id,
        traceparent=terms.traceparent,
        idempotency_key=terms.idempotency_key,
        body_hash=_fingerprint(command.kind, body) if terms.idempotency_key is not None else None,
        concurrency_key=None if terms.concurrency is None else terms.concurrency.key,
        concurrency_limit=None if terms.concurrency is None else terms.concurrency.limit,
    )


def _ring_for(job: NewJob) -> JobRef:
    return JobRef(job.id, job.tenant_id, job.kind, job.queue, job.priority)


def _fingerprint(kind: str, body: str) -> bytes:
    return sha256(f"{kind}\n{body}".encode()).digest()


@asynccontextmanager
async def open_submitter(settings: Settings) -> AsyncIterator[Submitter]:
    """A submitter with its own connections, closed when all it accepted has been rung for."""
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
