"""What a worker publishes besides settlements: event notifications, doorbells, progress. All best effort: it never raises."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from math import ceil
from typing import Any, NamedTuple
from uuid import UUID

from events.envelope import CloudEvent, event_id, job_source
from events.jobs import JobEvent
from infrastructure.celery import pace
from infrastructure.celery.doorbell import SHORT, Doorbells
from infrastructure.celery.keys import service_of
from infrastructure.celery.message import JobRef
from infrastructure.celery.pace import in_words
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs.claim import Claimed, note_progress
from infrastructure.postgres.jobs.settlement import Settlement, resume_parents
from infrastructure.postgres.session import PostgresSession
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.clock import RedisClock
from infrastructure.redis.pubsub import Channel, announce, say_live
from infrastructure.redis.tenant_notifier import TenantNotifier
from monitoring.metrics import bus as metrics
from schemas.jobs import Progress
from workers.runtime.claiming.slots import Service

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.2
MAX_TIMER_SECONDS = 60.0
"""Later retries are left to the sweeper, so that a worker holds few timers."""
COALESCE_SECONDS = 0.05
LONG_COALESCE = 4
"""Retries due within COALESCE_SECONDS are rung in one doorbell, and within four times that if they are further away: a
doorbell costs the same whatever number of jobs it names."""
SHORT_FOR_RETRIES = 6 * SHORT
"""Doorbells in a list below which a retry is rung at once, so that it doesn't queue behind its own tenant's newer jobs."""
NOW = 0


class Report(NamedTuple):
    """A run's reported progress."""

    claimed: Claimed
    progress: Progress
    at: datetime


class Notifier:
    """Publishes over Redis in background tasks, and stores progress over its own PostgreSQL session."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._session = session
        self._doorbells = Doorbells(redis)
        self._clock = RedisClock(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._progress: dict[UUID, Report] = {}
        self._tasks = WatchedTasks()
        self._reporting = False
        self._published = 0
        self._delayed: dict[int, list[JobRef]] = {}

    def notify(self, tenants: Iterable[UUID]) -> None:
        """Notifies subscribers that these tenants have new events."""
        self._tenant_notifier.notify(tenants)

    def ring(self, refs: Iterable[JobRef], *, short: int = SHORT) -> None:
        self.start(self._ring(list(refs), short), "rings")

    def request_admission(self, job_ids: Iterable[UUID]) -> None:
        """Asks a dispatcher to admit other jobs: these have freed their slots of a concurrency limit."""
        self.start(self._request_admission(list(job_ids)), "requests admission")

    def resume_parents(self, parents: Iterable[UUID]) -> None:
        """Resumes the parents all of whose children have ended; the sweeper does so when PostgreSQL is away."""
        self.start(self._resume_parents(list(parents)), "resumes parents")

    def ring_after(self, seconds: float, ref: JobRef) -> None:
        """Rings for a job in so many seconds, in one doorbell with others due then. Ignored beyond MAX_TIMER_SECONDS."""
        if seconds > MAX_TIMER_SECONDS:
            return
        loop = asyncio.get_running_loop()
        slot = NOW if seconds <= 0 else slot_of(loop.time(), seconds)
        due = self._delayed.setdefault(slot, [])
        if not due:
            loop.call_at(slot * COALESCE_SECONDS, self._ring_delayed, slot)
        due.append(ref)

    def _ring_delayed(self, slot: int) -> None:
        if refs := self._delayed.pop(slot, None):
            self.ring(refs, short=SHORT_FOR_RETRIES)

    def ring_next(self, claimed: Claimed, settlement: Settlement, queue: str) -> None:
        """Rings for what follows a settled run: the jobs stored with it at once, or its next attempt when that is due."""
        if settlement.new_jobs:
            self.ring(JobRef(one.id, one.tenant_id, one.kind, one.queue, one.priority) for one in settlement.new_jobs)
        elif settlement.due_seconds is not None:
            self.ring_after(
                settlement.due_seconds, JobRef(claimed.id, claimed.tenant_id, claimed.kind, queue, claimed.priority)
            )

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None:
        """Publishes and stores the progress within PROGRESS_SECONDS; of several reports in that time only the last. `at`: by
        PostgreSQL's clock."""
        self._progress[claimed.id] = Report(claimed, progress, at)
        if not self._reporting:
            self._reporting = True
            self.start(self._report(), "reports progress")

    async def close(self) -> None:
        """Rings for what is due now, and waits until every task has succeeded or failed."""
        self._ring_delayed(NOW)
        await self._tasks.finish()
        await self._tenant_notifier.close()

    def give_back(self, refs: Sequence[JobRef], *, bell_jobs: int, last: bool = False) -> None:
        """Puts jobs back at the front of their queue, or at its end with `last`, in doorbells of `bell_jobs` jobs."""
        if refs:
            self.start(self._give_back(refs, bell_jobs, last=last), "hands jobs back")

    def publish_service(self, queue: str, worker: str, service: Service) -> None:
        """Publishes this worker's throughput and free slots for the feeders of its queue."""
        self.start(self._publish_service(queue, worker, service), "publishes the service")

    def remove_service(self, queue: str, worker: str) -> None:
        """Removes the report of a worker that ends."""
        self.start(self._remove_service(queue, worker), "removes the service")

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs the coroutine in a background task that `close` waits for."""
        self._tasks.start(work, name)

    async def _ring(self, refs: list[JobRef], short: int) -> None:
        try:
            metrics.doorbells_rung((await self._doorbells.ring(refs, short=short)).bells)
        except FAULTS:
            metrics.doorbells_failed(len(refs))

    async def _request_admission(self, job_ids: list[UUID]) -> None:
        with suppress(*FAULTS):  # The sweep finds capped jobs by itself.
            await announce(self._redis, Channel.ADMISSION, job_ids)

    async def _resume_parents(self, parents: list[UUID]) -> None:
        with suppress(Unavailable):
            resumed = await self._session.run(lambda connection: resume_parents(connection, parents))
            self.notify({one.tenant_id for one in resumed})
            self.ring(JobRef(*one[:5]) for one in resumed if one.runs_again)

    async def _give_back(self, refs: Sequence[JobRef], bell_jobs: int, *, last: bool) -> None:
        try:
            await self._doorbells.give_back(refs, bell_jobs=bell_jobs, last=last)
        except FAULTS:
            metrics.doorbells_failed(len(refs))

    async def _publish_service(self, queue: str, worker: str, service: Service) -> None:
        with suppress(*FAULTS):  # It is published again within a second.
            encoded = in_words(pace.Service(service.per_second, service.free, await self._clock.now()))
            await self._redis.hset(service_of(queue), worker, encoded)

    async def _remove_service(self, queue: str, worker: str) -> None:
        with suppress(*FAULTS):  # Readers ignore old reports.
            await self._redis.hdel(service_of(queue), worker)

    async def _report(self) -> None:
        try:
            while self._progress:
                reports, self._progress = list(self._progress.values()), {}
                await self._publish(reports)
                await self._store(reports)
                await asyncio.sleep(PROGRESS_SECONDS)
        finally:
            self._reporting = False

    async def _publish(self, reports: list[Report]) -> None:
        try:
            for report in reports:
                await say_live(self._redis, report.claimed.tenant_id, self._progressed(report))
        except FAULTS:
            logger.debug("progress wasn't published: Redis can't be reached")

    async def _store(self, reports: list[Report]) -> None:
        notes = [(claimed.id, claimed.token, progress.model_dump_json()) for claimed, progress, _ in reports]
        try:
            await self._session.run(lambda connection: note_progress(connection, notes))
        except Unavailable:
            logger.debug("progress wasn't stored: PostgreSQL can't be reached")

    def _progressed(self, report: Report) -> CloudEvent:
        claimed, progress, at = report
        self._published += 1
        return CloudEvent(
            id=f"{event_id(claimed.id, claimed.attempt)}:live:{self._published}",
            source=job_source(claimed.id),
            type=JobEvent.PROGRESSED,
            subject=str(claimed.id),
            time=at,
            data=progress.model_dump(mode="json"),
        )


def slot_of(now: float, seconds: float) -> int:
    """The number of the first timer slot, COALESCE_SECONDS long each, at whose start a job due in so many seconds is due."""
    slot = ceil((now + seconds) / COALESCE_SECONDS)
    return slot if seconds < LONG_COALESCE * COALESCE_SECONDS else ceil(slot / LONG_COALESCE) * LONG_COALESCE
