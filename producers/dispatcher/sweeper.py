"""What a dispatcher looks at, once a second, since nobody else brings it on: lost workers, what is due, bells that got
lost."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.postgres.jobs import bulk_replays, holds, schedules, settlement, turns
from infrastructure.postgres.jobs import sweep as sweeping
from infrastructure.postgres.jobs.settlement import Resumed
from infrastructure.postgres.jobs.sweep import MAX_AT_ONCE, Unclaimed, Verdict
from infrastructure.postgres.session import Connection, PostgresSession
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
from schemas.commands import Queue
from schemas.jobs import JobState
from schemas.problems import Problem

logger = logging.getLogger(__name__)

MAX_ROUNDS = 50
"""Full batches that one sweep works off before it looks at everything else again."""
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
    """Looks once a second at what nobody else brings on."""

    def __init__(
        self,
        settings: Settings,
        session: PostgresSession,
        aside_session: PostgresSession,
        redis: Redis,
        turns_given: FairScheduler,
        rules: Controls,
    ) -> None:
        self._settings = settings
        self._session = session
        self._rules = rules
        self._known = NONE
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._tenant_notifier = TenantNotifier(redis)
        self._turns = turns_given
        self.admission = ConcurrencyLimits(
            redis, aside_session, self._ring, ring_again_seconds=settings.ring_again_seconds
        )
        self._kept_house_at = self._measured_at = self._named_all_at = 0.0
        self._patient_until = 0.0
        self.missed_a_sweep = False

    async def sweep(self) -> None:
        """One look at everything. Raises Unavailable when PostgreSQL is away; repeating it is always safe."""
        lease_seconds, declare = self._settings.lease_seconds, self._hears_hearts()
        due = await self._session.run(
            lambda connection: sweeping.look(connection, tuple(Queue), lease_seconds=lease_seconds, declare=declare)
        )
        if due.lost:
            await self._reap()
        if due.scheduled:
            await self._to_the_end(self._come_due)
        if due.retries:
            await self._to_the_end(self._retry)
        if due.schedules:
            await self._to_the_end(self._fire_schedules)
        if due.waiting:
            await self._resume_waiting()
        if due.held:
            await self._to_the_end(self._set_free)
        if due.capped:
            await self.admission.sweep()
        if due.replays:
            await self._replay()
        await self._ring_unclaimed(due.queues)
        await self._keep_house()
        metrics.swept()

    async def _reap(self) -> None:
        poison, stall = _verdict(POISON), _verdict(STALL)
        reaped = await self._session.run(lambda connection: sweeping.reap(connection, poison=poison, stall=stall))
        if reaped.requeued or reaped.buried:
            metrics.leases_lost(len(reaped.requeued) + len(reaped.buried))
            logger.warning("took %d jobs from lost workers, buried %d", len(reaped.requeued), len(reaped.buried))
            for bell in reaped.buried:
                metrics.jobs_settled(bell.kind, JobState.DEAD, 1)
            self._tenant_notifier.notify(bell.tenant_id for bell in reaped.buried)
            self.admission.call(bell.job_id for bell in reaped.buried)
            await self._ring(reaped.requeued)
        if reaped.parents:
            await self._resume(
                await self._session.run(lambda connection: settlement.resume_parents(connection, reaped.parents))
            )

    def _hears_hearts(self) -> bool:
        # After an outage every worker gets a whole lease to be heard again.
        now = time.monotonic()
        if self.missed_a_sweep:
            self.missed_a_sweep = False
            self._patient_until = now + self._settings.lease_seconds
        return now >= self._patient_until

    async def _come_due(self) -> int:
        seconds = self._settings.ring_again_seconds
        due, capped = await self._session.run(
            lambda connection: sweeping.stage_scheduled(connection, ring_again_seconds=seconds)
        )
        if capped:
            self.admission.call(capped)
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
            self.admission.call(fired.capped)
        free = [job for job in fired.jobs if job.id not in fired.capped]
        await self._ring([Unclaimed(job.id, job.tenant_id, job.kind, job.queue, job.priority) for job in free])
        return MAX_AT_ONCE if fired.looked_at == schedules.MAX_AT_ONCE else 0

    async def _stop(self, job_ids: Sequence[UUID]) -> None:
        try:
            await announce(self._redis, Channel.STOP, job_ids)
        except FAULTS:
            # Their workers go on and find out when they settle: nothing of the runs is stored.
            logger.warning("%d cancelled runs weren't stopped: Redis can't be reached", len(job_ids))

    async def _resume_waiting(self) -> None:
        await self._resume(await self._session.run(sweeping.resume_waiting))

    async def _resume(self, resumed: Sequence[Resumed]) -> None:
        self._tenant_notifier.notify(one.tenant_id for one in resumed)
        await self._ring([Unclaimed(*one[:5]) for one in resumed if one.runs_again])

    async def _set_free(self) -> int:
        seconds = self._settings.ring_again_seconds
        released = await self._session.run(
            lambda connection: holds.release_held(connection, ring_again_seconds=seconds)
        )
        if released.capped:
            self.admission.call(released.capped)
        await self._ring(released.bells)
        return len(released)

    async def _replay(self) -> None:
        seconds = self._settings.ring_again_seconds
        for _ in range(MAX_ROUNDS):
            bells, more = await self._session.run(
                lambda connection: bulk_replays.work_off(connection, ring_again_seconds=seconds)
            )
            self._tenant_notifier.notify(bell.tenant_id for bell in bells)
            metrics.jobs_replayed(len(bells))
            # Within the tenant's window, like new jobs: ten thousand old failures stand in nobody's way.
            with suppress(*FAULTS):
                await self._doorbells.ring(JobRef(*bell) for bell in bells)
            if not more:
                return

    async def _ring_unclaimed(self, waiting: Sequence[str]) -> None:
        rules = self._rules.now
        reopened, self._known = self._known.closed_queues - rules.closed_queues, rules
        if not self._turns.feeding:
            return
        queues = [queue for queue in waiting if queue not in rules.closed_queues]
        for queue in reopened:
            await self._name_waiting(queue, overdue=False)
        now = time.monotonic()
        if now - self._named_all_at > self._settings.ring_all_again_seconds:
            self._named_all_at = now
        elif queues:
            try:
                standing = await self._doorbells.lengths(queues)
            except FAULTS:
                return
            queues = [queue for queue, bells in standing.items() if not any(bells.values())]
        for queue in queues:
            await self._name_waiting(queue)

    async def _name_waiting(self, queue: str, *, overdue: bool = True) -> None:
        # Where no bell waits, jobs that do have lost theirs. Where some wait, those that a killed worker had taken are
        # still missing: now and then the oldest of each tenant are rung again. It is done by turns, so it costs a window.
        self._turns.name(
            queue, await self._session.run(lambda connection: turns.waiting(connection, queue, overdue=overdue))
        )

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._kept_house_at > HOUSEKEEPING_SECONDS:
            self._kept_house_at = now
            await self._session.run(sweeping.forget)
            await self._session.run(bulk_replays.forget_finished)
        if now - self._measured_at > MEASURE_SECONDS:
            self._measured_at = now
            await self._session.run(self._measure)

    async def _measure(self, connection: Connection) -> None:
        for queue in Queue:
            depth, oldest_seconds = await sweeping.depth(connection, queue)
            metrics.queue_seen(queue, depth=depth, oldest_seconds=oldest_seconds)
        metrics.workers_seen(await sweeping.alive(connection))
        metrics.parked_seen(**await holds.parked(connection))

    async def _to_the_end(self, step: Callable[[], Awaitable[int]]) -> None:
        for _ in range(MAX_ROUNDS):
            if await step() < MAX_AT_ONCE:
                return

    async def _ring(self, bells: Sequence[Unclaimed]) -> int:
        if bells:
            self._tenant_notifier.notify(bell.tenant_id for bell in bells)
            # Bells of a paused queue would only pile up: its jobs are rung by turns when it goes on.
            closed = self._rules.now.closed_queues
            rings = [
                JobRef(bell.job_id, bell.tenant_id, bell.kind, bell.queue, bell.priority)
                for bell in bells
                if bell.queue not in closed
            ]
            try:
                metrics.doorbells_rung((await self._doorbells.ring(rings)).bells)
            except FAULTS:
                metrics.doorbells_failed(len(bells))
        return len(bells)


def _verdict(problem: Problem) -> Verdict:
    return Verdict(problem.model_dump_json(), failure_text(problem))
