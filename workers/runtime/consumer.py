"""The job consumer: claims the jobs of received doorbells in batches, runs each as a coroutine, settles them in batches."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from typing import Any
from uuid import UUID

from infrastructure.celery.message import Doorbell
from infrastructure.celery.window import Window
from infrastructure.ports import Unavailable
from infrastructure.ports.jobs import ObjectStore
from infrastructure.postgres.jobs import claim
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.jobs.settlement import Settlement
from infrastructure.postgres.session import PostgresSession
from infrastructure.postgres.workers import leases_of
from producers.dispatcher.controls import ControlsSnapshot
from schemas.commands import Command
from workers.runtime.claiming.claimer import Claimer
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.hold_filter import HoldFilter
from workers.runtime.claiming.slots import AllSlots, Service
from workers.runtime.handler import Child, Handler
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.attempt import Attempt, perform
from workers.runtime.running.children import children_of
from workers.runtime.running.notifier import Notifier
from workers.runtime.settling.large_results import is_large, offload
from workers.runtime.settling.outcomes import Outcome, Stop, Stopped, released, settlement_of
from workers.runtime.settling.retry_until_available import retry_until_available
from workers.runtime.settling.settler import Settler

logger = logging.getLogger(__name__)

LIMIT_CHECK_SECONDS = 0.25
MAX_UNSETTLED = 1_000
"""Ended runs that aren't settled yet hold no slot, so claiming goes on meanwhile, up to this many."""
STUBBORN_SECONDS = 5.0
"""A coroutine that is still running this long after its cancellation is abandoned."""


class JobConsumer:
    """One per worker process, on one event loop. Celery's pool calls `take`, `stop`, `resize` and `drain`."""

    def __init__(
        self,
        handlers: Sequence[Handler[Any]],
        heartbeat: Heartbeat,
        notifier: Notifier,
        *,
        queue: str,
        claim_sessions: Sequence[PostgresSession],
        settle_session: PostgresSession,
        aside_session: PostgresSession,
        objects: ObjectStore,
        concurrency: int,
        processors: int,
        window: Window,
        controls: Callable[[], ControlsSnapshot],
        ring_again_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._handlers: Mapping[str, Handler[Any]] = {handler.kind: handler for handler in handlers}
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._queue = queue
        self._aside_session = aside_session
        self._objects = objects
        self._grace_seconds = grace_seconds
        self._running: dict[int, Attempt] = {}
        """By the job's id as an int, which hashes faster than a UUID."""
        self._ended = asyncio.Event()
        self.draining = False
        self._suspect_lock = asyncio.Semaphore(1)
        self._settler = Settler(
            settle_session=settle_session,
            aside_session=aside_session,
            notifier=notifier,
            heartbeat=heartbeat,
            running=self._running,
            on_settled=self._settled,
            ring_again_seconds=ring_again_seconds,
        )
        hold_filter = HoldFilter(queue, controls, aside_session, notifier)
        self.slots = AllSlots(handlers, hold_filter.weight, concurrency=concurrency, processors=processors)
        self._claimer = Claimer(
            heartbeat,
            notifier,
            hold_filter,
            queue=queue,
            sessions=claim_sessions,
            slots=self.slots,
            window=window,
            running=self._running,
            room=self._room,
            children_of=self._children_of,
            launch=self._launch,
        )
        self._unknown: dict[UUID, UUID] = {}

    def begin(self) -> None:
        self._claimer.begin()
        self._limits = asyncio.create_task(self._limit_for_ever(), name="time limits")

    def take(self, doorbell: Doorbell) -> Delivery:
        """Takes the doorbell's jobs. `done` of the delivery is set once each is settled, handed back or found to be gone."""
        return self._claimer.take(doorbell)

    def revoke(self, delivery: Delivery) -> None:
        """Cancels the delivery's jobs: running ones at once, pending ones when they are claimed."""
        delivery.revoked = True
        self.stop([attempt.job_id for attempt in self._running.values() if attempt.delivery is delivery], Stop.REVOKED)

    def stop(self, job_ids: Sequence[UUID], reason: Stop) -> None:
        """Stops the runs of those jobs that run here; others are ignored."""
        for job_id in job_ids:
            if (running := self._running.get(job_id.int)) is not None:
                running.stop(reason)

    def stop_all(self, reason: Stop) -> None:
        for running in list(self._running.values()):
            running.stop(reason)

    def job_of(self, task: asyncio.Task[Any]) -> UUID | None:
        """The job whose run the task is, or None. May be called from another thread."""
        return next((attempt.job_id for attempt in list(self._running.values()) if attempt.task is task), None)

    @property
    def service(self) -> Service:
        return self.slots.service

    def resize(self, concurrency: int) -> None:
        self.slots.worker.count = concurrency
        self._claimer.wake()

    def wake(self) -> None:
        """Claims again after the controls changed."""
        self._claimer.wake()

    async def check_leases(self) -> None:
        """Compares the leases in PostgreSQL with the runs here: stops runs whose job was cancelled or claimed by another worker,
        and releases jobs whose claim's answer was lost. Call it every few seconds; does nothing while PostgreSQL is away."""
        running = self._tokens()
        worker_id = self._heartbeat.worker_id
        try:
            held = await self._aside_session.run(lambda connection: leases_of(connection, worker_id))
        except Unavailable:
            return
        self.stop([job_id for job_id, token in running.items() if held.get(job_id) != token], Stop.CANCELLED)
        running |= self._tokens()
        unknown = {job_id: token for job_id, token in held.items() if running.get(job_id) != token}
        for job_id, token in unknown.items():
            if self._unknown.get(job_id) == token:
                self._settler.hand_in(released(job_id, token))
        self._unknown = unknown

    def _tokens(self) -> dict[UUID, UUID]:
        return {attempt.job_id: attempt.claimed.token for attempt in self._running.values()}

    async def drain(self) -> None:
        """Stops claiming, lets runs finish within the grace period, and releases the rest without charging an attempt."""
        self.draining = True
        await self._claimer.stop(STUBBORN_SECONDS)
        await self._until_idle(self._grace_seconds)
        self.stop_all(Stop.DRAINING)
        await self._until_idle(STUBBORN_SECONDS)
        self._limits.cancel()

    # Starting

    def _room(self) -> int:
        """How many more jobs may be claimed."""
        worker = self.slots.worker
        unsettled = len(self._running) + worker.under_way
        return min(worker.claimable, worker.count + MAX_UNSETTLED - unsettled)

    async def _children_of(self, claims: Sequence[Claimed]) -> dict[UUID, tuple[Child, ...]]:
        parents = [one.id for one in claims if (h := self._handlers.get(one.kind)) is not None and h.awaits_children]
        if not parents:
            return {}
        return await children_of(self._aside_session, self._objects, parents)

    def _launch(self, claimed: Claimed, delivery: Delivery, children: tuple[Child, ...]) -> None:
        limit = self._command_type(claimed.kind).time_limit_seconds
        slots = self.slots.of(claimed.kind)
        attempt = Attempt(claimed, limit, delivery, children, slots, self._notifier.report)
        if delivery.revoked:
            attempt.stop(Stop.REVOKED)
        self._running[claimed.id.int] = attempt
        self.slots.hold(slots)
        at_once = slots.places is None and not claimed.crashes
        attempt.task = asyncio.create_task(self._run(attempt) if at_once else self._run_in_turn(attempt))

    def _command_type(self, kind: str) -> type[Command]:
        handler = self._handlers.get(kind)
        return Command if handler is None else handler.command_type

    # Running

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await perform(attempt, self._handlers)
        finally:
            self._leave(attempt)
        self._end(attempt, outcome)

    async def _run_in_turn(self, attempt: Attempt) -> None:
        """Runs an attempt that must wait first: a suspect, or one that needs a limited slot."""
        attempt.entered = True
        outcome: Outcome
        try:
            async with AsyncExitStack() as held:
                await self._take_turn(attempt, held)
                outcome = await perform(attempt, self._handlers)
        except asyncio.CancelledError:
            outcome = Stopped(attempt.stopped or Stop.LEASE_LOST)
        finally:
            self._leave(attempt)
        self._end(attempt, outcome)

    async def _take_turn(self, attempt: Attempt, held: AsyncExitStack) -> None:
        suspect = attempt.claimed.crashes > 0
        if suspect:
            # One suspect at a time: when the process dies again, the culprit is known.
            await held.enter_async_context(self._suspect_lock)
        if (places := attempt.slots.places) is not None:
            # A suspect isn't released for waiting too long: a release would clear its crash count.
            with nullcontext() if suspect else attempt.waiting():
                await held.enter_async_context(places.one(attempt.step, attempt.tenant_id))
        if suspect:
            await retry_until_available(
                self._aside_session, lambda connection: claim.charge(connection, attempt.claimed)
            )

    def _leave(self, attempt: Attempt) -> None:
        attempt.ended = True
        self.slots.leave(attempt.slots, time.monotonic() - attempt.started_at if attempt.at_work else None)
        self._claimer.wake()

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        policy = self._command_type(attempt.claimed.kind).retry
        settlement = settlement_of(attempt.claimed, outcome, now=attempt.now, dice=random.random, policy=policy)
        if settlement is None:
            self._forget(attempt)
        elif is_large(settlement):
            self._notifier.start(self._offload(attempt, settlement))
        else:
            self._settler.hand_in(settlement)

    async def _offload(self, attempt: Attempt, settlement: Settlement) -> None:
        offloaded = await offload(settlement, attempt.claimed, self._objects)
        if isinstance(offloaded, Settlement):
            self._settler.hand_in(offloaded)
        else:
            self._end(attempt, offloaded)

    def _forget(self, attempt: Attempt) -> None:
        del self._running[attempt.job_id.int]
        attempt.delivery.close()
        # Claiming may have stopped at MAX_UNSETTLED, and no other run may end that would resume it.
        self._claimer.wake()
        if self.draining and not self._running:
            self._ended.set()

    async def _limit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LIMIT_CHECK_SECONDS)
            now = time.monotonic()
            running = [attempt for attempt in self._running.values() if not attempt.ended]
            for attempt in running:
                if attempt.ends_at <= now:
                    attempt.stop(Stop.TIME_LIMIT)
                elif attempt.waits_too_long(now):
                    attempt.stop(Stop.WAITED)
            try:
                self.slots.measure(now, [(one.slots, now - one.started_at) for one in running if one.at_work])
                self._claimer.hand_back_surplus()
            except Exception:  # The loop's edge: time limits hold even when measuring fails.
                logger.exception("measuring the throughput failed; trying again")

    def _settled(self, settlement: Settlement, effective: bool) -> None:
        attempt = self._running.get(settlement.job_id.int)
        if attempt is None or attempt.claimed.token != settlement.token:
            return  # A lease without a run here, released by `check_leases`.
        if effective:
            attempt.delivery.count(settlement.state)
        self._forget(attempt)
        if effective and settlement.due_seconds is not None:
            self._notifier.ring_next(attempt.claimed, settlement, self._queue)

    async def _until_idle(self, seconds: float) -> None:
        self._ended.clear()
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()
