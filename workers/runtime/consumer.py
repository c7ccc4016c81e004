"""The job consumer: receives doorbells, claims their jobs in batches, runs each as a coroutine, settles them in batches."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from infrastructure.celery.message import Doorbell
from infrastructure.celery.window import Window
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import Supervised, Supervisor
from infrastructure.ports.objects import ObjectStore
from infrastructure.postgres.session import PostgresSession
from producers.dispatcher.controls import ControlsSnapshot
from workers.runtime.claiming.claimer import Claimer
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.hold_filter import HoldFilter
from workers.runtime.claiming.slots import AllSlots, Service
from workers.runtime.handler import Handler
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.liveness.leases import LeaseCheck
from workers.runtime.running.live_text import LiveText
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.outputs import RunOutputs
from workers.runtime.running.recorder import Recorder
from workers.runtime.running.runner import Runner
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.outcomes import Stop
from workers.runtime.settling.settler import Settler

LIMIT_CHECK_SECONDS = 0.25
STUBBORN_SECONDS = 5.0
"""A coroutine that is still running this long after its cancellation is abandoned."""


class JobConsumer:
    """One per worker process, on one event loop. Celery's pool calls `take`, `revoke`, `resize` and `drain`."""

    def __init__(
        self,
        handlers: Sequence[Handler[Any]],
        heartbeat: Heartbeat,
        notifier: Notifier,
        live_text: LiveText,
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
        running: RunningJobs,
        ring_again_seconds: float,
        heartbeat_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._heartbeat_seconds = heartbeat_seconds
        self._grace_seconds = grace_seconds
        self._supervised: Sequence[Supervised] = ()
        self.draining = False
        self.running = running
        hold_filter = HoldFilter(queue, controls, aside_session, notifier)
        self.slots = AllSlots(handlers, hold_filter.weight, concurrency=concurrency, processors=processors)
        settler = Settler(
            running,
            notifier,
            heartbeat,
            queue=queue,
            settle_session=settle_session,
            aside_session=aside_session,
            objects=objects,
            ring_again_seconds=ring_again_seconds,
            on_room=self.wake,
        )
        runner = Runner(
            {handler.kind: handler for handler in handlers},
            running,
            self.slots,
            settler,
            RunOutputs(notifier, Recorder(aside_session, notifier), live_text),
            session=aside_session,
            objects=objects,
            on_room=self.wake,
        )
        self._claimer = Claimer(
            heartbeat,
            notifier,
            hold_filter,
            runner,
            queue=queue,
            sessions=claim_sessions,
            slots=self.slots,
            window=window,
            running=running,
        )
        self.leases = LeaseCheck(aside_session, heartbeat, running, settler)

    def begin(self, supervisor: Supervisor) -> None:
        """Begins to claim."""
        self._claimer.begin(supervisor)
        self._supervised = supervisor.start(
            Loop("time limits", LIMIT_CHECK_SECONDS, self.running.stop_overdue),
            Loop("throughput", LIMIT_CHECK_SECONDS, self._measure),
            Loop("lease check", self._heartbeat_seconds, self.leases.check),
        )

    def take(self, doorbell: Doorbell) -> Delivery:
        """Takes the doorbell's jobs. `done` of the delivery is set once each is settled, handed back or found to be gone."""
        return self._claimer.take(doorbell)

    def revoke(self, delivery: Delivery) -> None:
        """Cancels the delivery's jobs: running ones at once, pending ones when they are claimed."""
        delivery.revoked = True
        self.running.stop_delivery(delivery, Stop.REVOKED)

    def wake(self) -> None:
        """Claims again: a run has left its slot, one was settled, or the controls changed."""
        self._claimer.wake()

    def resize(self, concurrency: int) -> None:
        self.slots.worker.count = concurrency
        self.wake()

    @property
    def service(self) -> Service:
        return self.slots.service

    async def drain(self) -> None:
        """Stops claiming, lets runs finish within the grace period, and releases the rest without charging an attempt."""
        self.draining = True
        await self._claimer.stop(STUBBORN_SECONDS)
        await self.running.until_none(self._grace_seconds)
        self.running.stop_all(Stop.DRAINING)
        await self.running.until_none(STUBBORN_SECONDS)
        for one in self._supervised:
            await one.stop()

    async def _measure(self) -> None:
        now = time.monotonic()
        running = [(one.slots, now - one.started_at) for one in self.running.not_ended() if one.at_work]
        self.slots.measure(now, running)
        self._claimer.hand_back_surplus()
