"""Stores settlements in batches, and starts what follows from them."""

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from infrastructure.concurrency.batching import Batcher
from infrastructure.ports import Unavailable, Unstorable
from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.jobs import settlement as settling
from infrastructure.postgres.jobs.settlement import Settled, Settlement
from infrastructure.postgres.session import PostgresSession
from monitoring.metrics import bus as metrics
from schemas.commands import RetryPolicy
from schemas.jobs import JobState
from schemas.problems import Problem
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.attempt import Attempt
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.large_results import is_large, offload
from workers.runtime.settling.outcomes import Outcome, settlement_of, unstorable
from workers.runtime.settling.retry_until_available import retry_until_available

logger = logging.getLogger(__name__)


class Settler:
    """Settles runs as they end, in batches. Calls `on_room` when one has been settled."""

    def __init__(
        self,
        running: RunningJobs,
        notifier: Notifier,
        heartbeat: Heartbeat,
        *,
        queue: str,
        settle_session: PostgresSession,
        aside_session: PostgresSession,
        objects: ObjectStore,
        ring_again_seconds: float,
        on_room: Callable[[], None],
    ) -> None:
        self._running = running
        self._notifier = notifier
        self._heartbeat = heartbeat
        self._queue = queue
        self._settle_session, self._aside_session = settle_session, aside_session
        self._objects = objects
        self._ring_again_seconds = ring_again_seconds
        self._on_room = on_room
        self._batcher: Batcher[Settlement, None] = Batcher(self._settle, "settle")

    def settle(self, attempt: Attempt, outcome: Outcome, policy: RetryPolicy) -> None:
        """Stores what came of a run, with the next batch. Raises Overloaded when too many wait for that."""
        settlement = settlement_of(attempt.claimed, outcome, now=attempt.now, dice=random.random, policy=policy)
        if settlement is None:
            self.drop(attempt)
        elif is_large(settlement):
            self._notifier.start(self._offload(attempt, settlement, policy), "offloads a result")
        else:
            self._batcher.hand_in(settlement)

    def hand_in(self, settlement: Settlement) -> None:
        """Stores the settlement of a lease that has no run here."""
        self._batcher.hand_in(settlement)

    def drop(self, attempt: Attempt) -> None:
        """Ends a run of which nothing may be stored."""
        self._running.remove(attempt)
        self._on_room()

    async def _offload(self, attempt: Attempt, settlement: Settlement, policy: RetryPolicy) -> None:
        try:
            offloaded = await offload(settlement, attempt.claimed, self._objects)
            if isinstance(offloaded, Settlement):
                self._batcher.hand_in(offloaded)
            else:
                self.settle(attempt, offloaded, policy)
        except Exception:  # The task's edge: the lease check finds the run's lease and releases its job.
            logger.exception("a large result couldn't be kept; its job will run again")
            self.drop(attempt)

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[None]:
        try:
            settled = await self._store(settlements)
            if settled.late:
                before = await self._stored_before(settled.late)
                settled = Settled(before.late, settled.parents + before.parents, settled.capped + before.capped)
        except Exception:  # The loop's edge: the runs are dropped, and the lease check releases their jobs.
            logger.exception("settling %d runs failed; their jobs will run again", len(settlements))
            for one in settlements:
                self._settled(one, effective=False)
        else:
            # Scheduled behind the next batch's statement, so that PostgreSQL works meanwhile.
            asyncio.get_running_loop().call_soon(self._follow_up, settlements, settled)
        return [None] * len(settlements)

    def _follow_up(self, settlements: Sequence[Settlement], settled: Settled) -> None:
        late = {(one.job_id, one.token) for one in settled.late}
        effective = [one for one in settlements if (one.job_id, one.token) not in late] if late else settlements
        try:
            tenants = self._count(effective)
        finally:
            # Even if the metrics fail these runs are over: keeping them would fill the worker.
            for one in settlements:
                self._settled(one, effective=not late or (one.job_id, one.token) not in late)
        metrics.settles_discarded(len(late))
        metrics.batch_sent(metrics.Path.SETTLE, len(settlements))
        self._notifier.notify(tenants)
        if late:
            self._notifier.start(self._record_discarded([job_id for job_id, _ in late]), "records discarded outcomes")
        if settled.capped:
            self._notifier.request_admission(settled.capped)
        if settled.parents:
            self._notifier.resume_parents(settled.parents)

    def _settled(self, settlement: Settlement, *, effective: bool) -> None:
        attempt = self._running.get(settlement.job_id)
        if attempt is None or attempt.claimed.token != settlement.token:
            return  # A lease without a run here, released by the lease check.
        if effective:
            attempt.delivery.count(settlement.state)
        self.drop(attempt)
        if effective and (settlement.new_jobs or settlement.due_seconds is not None):
            self._notifier.ring_next(attempt.claimed, settlement, self._queue)

    async def _store(self, settlements: Sequence[Settlement]) -> Settled:
        try:
            return await retry_until_available(
                self._settle_session,
                lambda connection: settling.settle(
                    connection, settlements, ring_again_seconds=self._ring_again_seconds
                ),
            )
        except Unstorable:
            # Splits the batch until the result at fault is alone: it fails its own job, and the others are stored.
            if len(settlements) == 1:
                return await self._store([unstorable(settlements[0], self._kind_of(settlements[0]))])
            middle = len(settlements) // 2
            return await self._store(settlements[:middle]) + await self._store(settlements[middle:])

    def _kind_of(self, settlement: Settlement) -> str:
        attempt = self._running.get(settlement.job_id)
        return "" if attempt is None else attempt.claimed.kind

    async def _stored_before(self, settlements: Sequence[Settlement]) -> Settled:
        # The statement may have been repeated after a lost answer: what the first one stored isn't late.
        return await retry_until_available(
            self._settle_session, lambda connection: settling.settled_before(connection, settlements)
        )

    def _count(self, effective: Sequence[Settlement]) -> set[UUID]:
        """Counts the settlements in the metrics, and returns the tenants of their jobs."""
        now = time.monotonic()
        tenants: set[UUID] = set()
        runs: dict[tuple[str, JobState], list[float]] = defaultdict(list)
        retried: Counter[str] = Counter()
        for one in effective:
            if (attempt := self._running.get(one.job_id)) is not None:
                tenants.add(attempt.claimed.tenant_id)
                runs[attempt.claimed.kind, one.state].append(now - attempt.started_at)
                if one.problem is not None and one.due_seconds is not None:
                    retried[one.problem] += 1
        for (kind, state), seconds in runs.items():
            metrics.jobs_settled(kind, state, len(seconds))
            metrics.jobs_ran(kind, seconds)
        for problem, count in retried.items():
            metrics.jobs_retried(Problem.model_validate_json(problem).name, count)
        return tenants

    async def _record_discarded(self, job_ids: list[UUID]) -> None:
        worker_id = self._heartbeat.worker_id
        logger.warning("%d outcomes came too late and had no effect", len(job_ids))
        with suppress(Unavailable):
            await self._aside_session.run(lambda connection: settling.record_discarded(connection, job_ids, worker_id))
