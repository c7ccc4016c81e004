"""What a worker tells others beside its settlements: news, doorbells, progress. All of it may be lost; nothing fails."""

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
RING_OURSELVES_SECONDS = 60.0
"""A retry further away than this is left to the sweeper, so that a worker holds no long list of timers."""
TOGETHER_SECONDS = 0.05
LONG_TOGETHER = 4
"""Retries that come due within this time are rung together, and within four times as much where they wait for longer than
that: a bell costs the same whatever it names."""
SHORT_FOR_RETRIES = 6 * SHORT
"""Bells. A retry isn't to wait for its turn behind all that its own tenant has submitted since."""
NOW = 0


class Report(NamedTuple):
    """How far a run is."""

    claimed: Claimed
    progress: Progress
    at: datetime


class Notifier:
    """Speaks over Redis, and stores progress over its own line."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._session = session
        self._doorbells = Doorbells(redis)
        self._clock = RedisClock(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._progress: dict[UUID, Report] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reporting = False
        self._told = 0
        self._later: dict[int, list[JobRef]] = {}

    def tell(self, tenants: Iterable[UUID]) -> None:
        """These tenants have new events."""
        self._tenant_notifier.notify(tenants)

    def ring(self, rings: Iterable[JobRef], *, short: int = SHORT) -> None:
        self.start(self._ring(list(rings), short))

    def ask_to_let_in(self, job_ids: Iterable[UUID]) -> None:
        """These capped jobs have ended: others may be let in."""
        self.start(self._ask_to_let_in(list(job_ids)))

    def resume_parents(self, parents: Iterable[UUID]) -> None:
        """A child of each has ended: those all of whose children have go on."""
        self.start(self._resume_parents(list(parents)))

    def ring_in(self, seconds: float, ring: JobRef) -> None:
        """Rings with those that are due in the same moment."""
        if seconds > RING_OURSELVES_SECONDS:
            return
        loop = asyncio.get_running_loop()
        slot = NOW if seconds <= 0 else slot_of(loop.time(), seconds)
        waiting = self._later.setdefault(slot, [])
        if not waiting:
            loop.call_at(slot * TOGETHER_SECONDS, self._ring_later, slot)
        waiting.append(ring)

    def _ring_later(self, slot: int) -> None:
        if rings := self._later.pop(slot, None):
            self.ring(rings, short=SHORT_FOR_RETRIES)

    def ring_next(self, claimed: Claimed, settlement: Settlement, queue: str) -> None:
        """Rings for what a settled run left to be done: its children, or its own next attempt when that is due."""
        if settlement.children:
            self.ring(JobRef(one.id, one.tenant_id, one.kind, one.queue, one.priority) for one in settlement.children)
        elif settlement.due_seconds is not None:
            self.ring_in(
                settlement.due_seconds, JobRef(claimed.id, claimed.tenant_id, claimed.kind, queue, claimed.priority)
            )

    def report(self, claimed: Claimed, progress: Progress, at: datetime) -> None:
        """Watchers hear of it within PROGRESS_SECONDS; of several reports in that time, the last. `at` is PostgreSQL's
        time."""
        self._progress[claimed.id] = Report(claimed, progress, at)
        if not self._reporting:
            self._reporting = True
            self.start(self._report())

    async def close(self) -> None:
        """Returns when all that was to be told has been, or Redis wouldn't take it."""
        self._ring_later(NOW)
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._tenant_notifier.close()

    def give_back(self, rings: Sequence[JobRef], *, bell_jobs: int, last: bool = False) -> None:
        """Puts these back to the front of their queue, or behind all others there, in bells of so many jobs."""
        if rings:
            self.start(self._give_back(rings, bell_jobs, last=last))

    def tell_service(self, queue: str, worker: str, service: Service) -> None:
        """How much this worker gets done, for those who ring for its queue."""
        self.start(self._tell_service(queue, worker, service))

    def end_service(self, queue: str, worker: str) -> None:
        self.start(self._end_service(queue, worker))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it beside everything else; `close` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ring(self, rings: list[JobRef], short: int) -> None:
        try:
            metrics.doorbells_rung((await self._doorbells.ring(rings, short=short)).bells)
        except FAULTS:
            metrics.doorbells_failed(len(rings))

    async def _ask_to_let_in(self, job_ids: list[UUID]) -> None:
        with suppress(*FAULTS):  # The dispatcher's sweep looks for them as well.
            await announce(self._redis, Channel.ADMISSION, job_ids)

    async def _resume_parents(self, parents: list[UUID]) -> None:
        with suppress(Unavailable):
            resumed = await self._session.run(lambda connection: resume_parents(connection, parents))
            self.tell({one.tenant_id for one in resumed})
            self.ring(JobRef(*one[:5]) for one in resumed if one.runs_again)

    async def _give_back(self, rings: Sequence[JobRef], bell_jobs: int, *, last: bool) -> None:
        try:
            await self._doorbells.give_back(rings, bell_jobs=bell_jobs, last=last)
        except FAULTS:
            metrics.doorbells_failed(len(rings))

    async def _tell_service(self, queue: str, worker: str, service: Service) -> None:
        with suppress(*FAULTS):  # It is told again in a moment.
            said = in_words(pace.Service(service.per_second, service.free, await self._clock.now()))
            await self._redis.hset(service_of(queue), worker, said)

    async def _end_service(self, queue: str, worker: str) -> None:
        with suppress(*FAULTS):  # What is old isn't believed.
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
            logger.debug("progress wasn't announced: Redis can't be reached")

    async def _store(self, reports: list[Report]) -> None:
        notes = [(claimed.id, claimed.token, progress.model_dump_json()) for claimed, progress, _ in reports]
        try:
            await self._session.run(lambda connection: note_progress(connection, notes))
        except Unavailable:
            logger.debug("progress wasn't stored: PostgreSQL can't be reached")

    def _progressed(self, report: Report) -> CloudEvent:
        claimed, progress, at = report
        self._told += 1
        return CloudEvent(
            id=f"{event_id(claimed.id, claimed.attempt)}:live:{self._told}",
            source=job_source(claimed.id),
            type=JobEvent.PROGRESSED,
            subject=str(claimed.id),
            time=at,
            data=progress.model_dump(mode="json"),
        )


def slot_of(now: float, seconds: float) -> int:
    """The first in which what waits for so long is due."""
    slot = ceil((now + seconds) / TOGETHER_SECONDS)
    return slot if seconds < LONG_TOGETHER * TOGETHER_SECONDS else ceil(slot / LONG_TOGETHER) * LONG_TOGETHER
