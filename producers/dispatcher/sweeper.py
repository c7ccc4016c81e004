"""The sweeper: finds lost workers, due jobs and lost doorbells once per sweep interval."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.concurrency.loops import made_progress
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import bulk_replays, holds, schedules, settlement, turns
from infrastructure.postgres.jobs import sweep as sweeping
from infrastructure.postgres.jobs.settlement import Resumed
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed, Verdict
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.postgres.tenants import registry
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.pubsub import Channel, announce
from infrastructure.redis.tenant_notifier import TenantNotifier
from infrastructure.settings import Settings
from monitoring.errors.fingerprints import failure_text
from monitoring.metrics import bus as metrics
from producers.dispatcher.concurrency_limits import ConcurrencyLimits
from producers.dispatcher.controls import NONE, Controls
from producers.dispatcher.fair_scheduler import FairScheduler
from producers.dispatcher.schedules import fire_due
from schemas.catalogue import queues
from schemas.jobs import JobState
from schemas.problems import Problem

logger = logging.getLogger(__name__)

MAX_ROUNDS = 50
"""Full batches of one task in one sweep; the rest is left to the next sweep."""
HOUSEKEEPING_SECONDS = 60.0
MEASURE_SECONDS = 10.0
POISON = Problem.of(
    "poison",
    "The job kills the process that runs it",
    500,
    f"{sweeping.CRASHES_ALLOWED} worker processes died while running it, so it is set aside. Replay it once the cause "
    "is mended.",
)
STALL = Problem.of(
    "blocks-its-worker",
    "The job blocks the worker that runs it",
    500,
    f"In {sweeping.CRASHES_ALLOWED} runs it kept its worker from doing anything else until others took its jobs over, so "
    "it is set aside. Have the work done in a thread or a process, and replay it then.",
)


class Sweeper:
    """Sweeps once per call of `sweep`. Any number of dispatchers may do so at the same time."""

    def __init__(
        self,
        settings: Settings,
        session: PostgresSession,
        aside_session: PostgresSession,
        redis: Redis,
        fair_scheduler: FairScheduler,
        controls: Controls,
    ) -> None:
        self._settings = settings
        self._session = session
        self._controls = controls
        self._last_controls = NONE
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._fair_scheduler = fair_scheduler
        self.concurrency_limits = ConcurrencyLimits(
            redis, aside_session, self._ring, ring_again_seconds=settings.ring_again_seconds
        )
        self._housekept_at = self._measured_at = self._scheduled_all_at = 0.0
        self._grace_until = 0.0
        self._queues_seen = dict.fromkeys(queues())
        """Those of the kinds known here, and those that had waiting jobs: a dispatcher may lack the package of some."""
        self._missed_a_sweep = False

    async def sweep(self) -> None:
        """Runs one sweep. Raises Unavailable when PostgreSQL can't be reached. Safe to repeat."""
        try:
            await self._sweep()
        except Unavailable:
            self._missed_a_sweep = True
            raise

    async def _sweep(self) -> None:
        lease_seconds, declare = self._settings.lease_seconds, self._may_declare_lost()
        due = await self._session.run(
            lambda connection: sweeping.look(connection, lease_seconds=lease_seconds, declare=declare)
        )
        self._queues_seen.update(dict.fromkeys(due.queues))
        if due.lost:
            await self._reap()
        if due.scheduled:
            await self._drain_batches(self._queue_scheduled)
        if due.retries:
            await self._drain_batches(self._retry)
        if due.schedules:
            await self._drain_batches(self._fire_schedules)
        if due.waiting:
            await self._resume_waiting()
        if due.held:
            await self._drain_batches(self._release_held)
        if due.capped:
            await self.concurrency_limits.sweep()
        if due.replays:
            await self._replay()
        await self._ring_unclaimed(due.queues)
        await self._run_housekeeping()
        metrics.swept()

    async def _reap(self) -> None:
        poison, stall = _verdict(POISON), _verdict(STALL)
        reaped = await self._session.run(lambda connection: sweeping.reap(connection, poison=poison, stall=stall))
        if reaped.requeued or reaped.buried:
            metrics.leases_lost(len(reaped.requeued) + len(reaped.buried))
            logger.warning("leases lost: requeued %d jobs, %d are dead", len(reaped.requeued), len(reaped.buried))
            for job in reaped.buried:
                metrics.jobs_settled(job.kind, JobState.DEAD, 1)
            self._tenant_notifier.notify(job.tenant_id for job in reaped.buried)
            self.concurrency_limits.check_soon(job.job_id for job in reaped.buried)
            await self._ring(reaped.requeued)
        if reaped.parents:
            await self._resume(
                await self._session.run(lambda connection: settlement.resume_parents(connection, reaped.parents))
            )

    def _may_declare_lost(self) -> bool:
        # After an outage every worker gets one full lease to send a heartbeat before it may be declared lost.
        now = time.monotonic()
        if self._missed_a_sweep:
            self._missed_a_sweep = False
            self._grace_until = now + self._settings.lease_seconds
        return now >= self._grace_until

    async def _queue_scheduled(self) -> int:
        seconds = self._settings.ring_again_seconds
        due, capped = await self._session.run(
            lambda connection: sweeping.stage_scheduled(connection, ring_again_seconds=seconds)
        )
        if capped:
            self.concurrency_limits.check_soon(capped)
        return await self._ring(due) + len(capped)

    async def _retry(self) -> int:
        seconds = self._settings.ring_again_seconds
        due = await self._session.run(
            lambda connection: sweeping.queue_retries(
                connection, ring_again_seconds=seconds, late_seconds=sweeping.RETRY_LATE_SECONDS
            )
        )
        return await self._ring(due)

    async def _fire_schedules(self) -> int:
        seconds = self._settings.ring_again_seconds
        fired = await self._session.run(lambda connection: fire_due(connection, ring_again_seconds=seconds))
        made = len(fired.jobs)
        metrics.schedules_looked_at(fired=made, passed=fired.looked_at - made - fired.broken, broken=fired.broken)
        for job in fired.jobs:
            metrics.jobs_submitted(job.kind)
        if fired.stopped:
            await self._stop(fired.stopped)
        if fired.capped:
            self.concurrency_limits.check_soon(fired.capped)
        free = [job for job in fired.jobs if job.id not in fired.capped]
        await self._ring([Unclaimed(job.id, job.tenant_id, job.kind, job.queue, job.priority) for job in free])
        return MAX_AT_ONCE if fired.looked_at == schedules.MAX_AT_ONCE else 0

    async def _stop(self, job_ids: Sequence[UUID]) -> None:
        try:
            await announce(self._redis, Channel.STOP, job_ids)
        except FAULTS:
            # Their workers find out when they settle: the settlement of a cancelled run has no effect.
            logger.warning("%d cancelled runs weren't stopped: Redis can't be reached", len(job_ids))

    async def _resume_waiting(self) -> None:
        await self._resume(await self._session.run(sweeping.resume_waiting))

    async def _resume(self, resumed: Sequence[Resumed]) -> None:
        self._tenant_notifier.notify(one.tenant_id for one in resumed)
        await self._ring([Unclaimed(*one[:5]) for one in resumed if one.runs_again])

    async def _release_held(self) -> int:
        seconds = self._settings.ring_again_seconds
        released = await self._session.run(
            lambda connection: holds.release_held(connection, ring_again_seconds=seconds)
        )
        if released.capped:
            self.concurrency_limits.check_soon(released.capped)
        await self._ring(released.bells)
        return len(released)

    async def _replay(self) -> None:
        seconds = self._settings.ring_again_seconds
        for _ in range(MAX_ROUNDS):
            jobs, more = await self._session.run(
                lambda connection: bulk_replays.work_off(connection, ring_again_seconds=seconds)
            )
            self._tenant_notifier.notify(job.tenant_id for job in jobs)
            metrics.jobs_replayed(len(jobs))
            # Within the tenant's window, like new jobs: ten thousand replays must not delay other tenants.
            with suppress(*FAULTS):
                await self._doorbells.ring(JobRef(*job) for job in jobs)
            if not more:
                return
            made_progress()

    async def _ring_unclaimed(self, waiting: Sequence[str]) -> None:
        controls = self._controls.now
        reopened, self._last_controls = self._last_controls.closed_queues - controls.closed_queues, controls
        if not self._fair_scheduler.feeding:
            return
        queues = [queue for queue in waiting if queue not in controls.closed_queues]
        for queue in reopened:
            await self._schedule_pending(queue, overdue=False)
        now = time.monotonic()
        if now - self._scheduled_all_at > self._settings.ring_all_again_seconds:
            self._scheduled_all_at = now
        elif queues:
            try:
                standing = await self._doorbells.lengths(queues)
            except FAULTS:
                return
            queues = [queue for queue, lengths in standing.items() if not any(lengths.values())]
        for queue in queues:
            await self._schedule_pending(queue)

    async def _schedule_pending(self, queue: str, *, overdue: bool = True) -> None:
        # Pending jobs of an empty list have lost their doorbells. Doorbells that a killed worker had taken are lost even when
        # the list isn't empty, so now and then each tenant's oldest jobs are rung again, in turns and within the window.
        self._fair_scheduler.mark_pending(
            queue, await self._session.run(lambda connection: turns.waiting(connection, queue, overdue=overdue))
        )

    async def _run_housekeeping(self) -> None:
        now = time.monotonic()
        if now - self._housekept_at > HOUSEKEEPING_SECONDS:
            self._housekept_at = now
            await self._session.run(sweeping.forget)
            await self._session.run(bulk_replays.forget_finished)
        if now - self._measured_at > MEASURE_SECONDS:
            self._measured_at = now
            await self._session.run(self._measure)

    async def _measure(self, connection: Connection) -> None:
        for queue in self._queues_seen:
            depth, oldest_seconds = await sweeping.depth(connection, queue)
            metrics.queue_seen(queue, depth=depth, oldest_seconds=oldest_seconds)
        metrics.workers_seen(await sweeping.alive(connection))
        metrics.withheld_seen(**await holds.withheld(connection))
        metrics.tenants_seen(await registry.count_by_state(connection))

    async def _drain_batches(self, batch: Callable[[], Awaitable[int]]) -> None:
        for _ in range(MAX_ROUNDS):
            if await batch() < MAX_AT_ONCE:
                return
            made_progress()

    async def _ring(self, jobs: Sequence[Unclaimed]) -> int:
        if jobs:
            self._tenant_notifier.notify(job.tenant_id for job in jobs)
            # Doorbells of a paused queue would pile up: its jobs are rung for when it resumes.
            closed = self._controls.now.closed_queues
            refs = [
                JobRef(job.job_id, job.tenant_id, job.kind, job.queue, job.priority)
                for job in jobs
                if job.queue not in closed
            ]
            try:
                metrics.doorbells_rung((await self._doorbells.ring(refs)).bells)
            except FAULTS:
                metrics.doorbells_failed(len(jobs))
        return len(jobs)


def _verdict(problem: Problem) -> Verdict:
    return Verdict(problem.model_dump_json(), failure_text(problem))
