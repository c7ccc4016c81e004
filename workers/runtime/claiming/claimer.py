"""Claims this worker's pending jobs in batches and launches those it got."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from uuid import UUID

from infrastructure.celery.keys import priority_of
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, Doorbell, JobRef
from infrastructure.celery.window import Window
from infrastructure.concurrency.batching import Pace
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import Supervised, Supervisor
from infrastructure.postgres.jobs import claim
from infrastructure.postgres.jobs.claim import RETRY_MISSED_SECONDS, Claimed
from infrastructure.postgres.session import PostgresSession
from monitoring.metrics import bus as metrics
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.hold_filter import HoldFilter
from workers.runtime.claiming.pending import PendingLot
from workers.runtime.claiming.slots import AllSlots, Slots
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.runner import Runner
from workers.runtime.running.running_jobs import RunningJobs
from workers.runtime.settling.retry_until_available import retry_until_available

ROUND_SECONDS = 1.0
"""A busy worker's loops report as often."""
MAX_IN_A_CLAIM = 64
"""Claims are smaller than the room there is, so that PostgreSQL works on one while the loop starts the jobs of another."""

PAUSE_SECONDS = 0.1
"""How long a worker takes no doorbells after it put some back behind the others."""


class Claimer:
    """Claims as long as there is room. With more than one session, PostgreSQL works on a claim while the jobs of the last
    are started."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        notifier: Notifier,
        hold_filter: HoldFilter,
        runner: Runner,
        *,
        queue: str,
        sessions: Sequence[PostgresSession],
        slots: AllSlots,
        window: Window,
        running: RunningJobs,
    ) -> None:
        self._heartbeat = heartbeat
        self._notifier = notifier
        self._hold_filter = hold_filter
        self._runner = runner
        self._queue = queue
        self._sessions = sessions
        self._slots = slots
        self._window = window
        window.of(lambda: slots.room)
        self._running = running
        self._wake = asyncio.Event()
        self._pace = Pace()
        self._stopping = False
        self._supervised: Sequence[Supervised] = ()

    def begin(self, supervisor: Supervisor) -> None:
        """Claims from now on, over each session at the same time."""
        self._supervised = supervisor.start(
            *(
                Loop(f"claims {number}", math.inf, partial(self._claim_pending, session), wake=self._wake)
                for number, session in enumerate(self._sessions, 1)
            )
        )

    def take(self, doorbell: Doorbell) -> Delivery:
        """Adds the doorbell's jobs to the pending ones. `done` of the delivery is set once none is pending or running here."""
        delivery = Delivery(doorbell.jobs, ahead=doorbell.ahead)
        for lot in doorbell.lots:
            self._slots.of(lot.kind).pending.add(PendingLot(lot, doorbell.step, delivery))
        self._window.taken(doorbell.jobs)
        if not self._stopping:
            self.hand_back_surplus()
        self._wake.set()
        return delivery

    def wake(self) -> None:
        """Claims again: a slot was freed or the controls changed."""
        if self._wake.is_set():
            return
        if self._slots.waiting:
            self._wake.set()
        else:
            self._window.look_again()

    def hand_back_surplus(self) -> None:
        """Puts pending jobs that this worker can't start soon back into the queue for other workers."""
        for slots in self._slots.all:
            if surplus := slots.surplus:
                self._hand_back(slots, surplus)
        self._window.look_again()

    def _hand_back(self, slots: Slots, surplus: int) -> None:
        # While other slots have room this worker would receive these jobs again, so they go to the end of the list. Each
        # tenant keeps a turn here, or its jobs might be sent to the end every time.
        last = self._slots.accepts_others_than(slots)
        parts = slots.pending.give_back(surplus, min_turns=1 if last else 0)
        if not parts:
            return
        if last:
            self._slots.paused_until = time.monotonic() + PAUSE_SECONDS
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._window.look_again)
        metrics.jobs_handed_back(sum(part.lot.jobs for part in parts))
        self._return(parts, bell_jobs=min(max(slots.max_pending // 2, 1), MAX_JOBS_IN_A_DOORBELL), last=last)

    async def stop(self, within_seconds: float) -> None:
        """Stops claiming and puts pending jobs back at the front of the queue, where another worker gets them at once."""
        self._stopping = True
        await asyncio.gather(*(one.stop(within_seconds) for one in self._supervised))
        for slots in self._slots.all:
            self._return(slots.pending.take(len(slots.pending)))

    def _return(
        self, waiting: Sequence[PendingLot], *, bell_jobs: int = MAX_JOBS_IN_A_DOORBELL, last: bool = False
    ) -> None:
        self._notifier.give_back(self._in_turn(waiting), bell_jobs=bell_jobs, last=last)
        for lot, _, delivery, _ in waiting:
            delivery.close(lot.jobs)

    def _in_turn(self, waiting: Sequence[PendingLot]) -> list[JobRef]:
        """The jobs with their tenants interleaved by weight, so that each doorbell made of them names jobs of all tenants."""
        before = Counter[tuple[int, UUID]]()
        turns: list[tuple[float, JobRef]] = []
        for lot, step, *_ in waiting:
            weight = self._hold_filter.weight(lot.tenant_id)
            for job_id in lot.job_ids:
                ring = JobRef(job_id, lot.tenant_id, lot.kind, self._queue, priority_of(step))
                turns.append((before[step, lot.tenant_id] / weight, ring))
                before[step, lot.tenant_id] += 1
        return [ring for _, ring in sorted(turns, key=itemgetter(0))]

    async def _claim_pending(self, session: PostgresSession) -> float | None:
        """Claims while there is room and something pending, ROUND_SECONDS at most."""
        ends_at = time.monotonic() + ROUND_SECONDS
        while not self._stopping and not self._hold_filter.closed and (claimable := self._claimable()):
            if time.monotonic() > ends_at:
                return 0.0
            if (rest := self._pace.rest_seconds()) > 0 and self._slots.waiting < MAX_IN_A_CLAIM:
                await asyncio.sleep(rest)
                continue
            taken = [(slots, slots.pending.take(jobs)) for slots, jobs in claimable]
            self._pace.begin(sum(jobs for _, jobs in claimable))
            for slots, jobs in claimable:
                self._slots.claim(slots, jobs)
            self._window.look_again()
            try:
                await self._claim(session, [part for _, parts in taken for part in parts])
            finally:
                for slots, jobs in claimable:
                    self._slots.claim(slots, -jobs)
                    slots.measure(time.monotonic())
        # What woke this round is dealt with; without this a busy worker would look twice.
        self._wake.clear()
        return None

    def _claimable(self) -> list[tuple[Slots, int]]:
        """How many jobs may be claimed now for each set of slots."""
        room, found = min(self._runner.room, MAX_IN_A_CLAIM), []
        for slots in self._slots.all:
            if (jobs := min(room, slots.claimable, len(slots.pending))) > 0:
                found.append((slots, jobs))
                room -= jobs
        return found

    async def _claim(self, session: PostgresSession, share: list[PendingLot]) -> None:
        deliveries = self._deliveries_of(share)
        worker_id = self._heartbeat.worker_id
        try:
            ids = await self._hold_filter.let_through(share, sorted(deliveries))
            ahead = [job_id for job_id in ids if deliveries[job_id].ahead]
            claims = await retry_until_available(
                session, lambda connection: claim.claim(connection, worker_id, ids, rung_ahead=ahead)
            )
            children = await self._runner.children_of(claims)
        except Exception:
            # The lease check finds what was claimed, the sweeper the rest.
            self._release_missed(share, deliveries)
            raise
        for claimed in claims:
            self._runner.launch(claimed, deliveries.pop(claimed.id.bytes), children.get(claimed.id, ()))
        if deliveries:
            self._release_missed(share, deliveries)
        # Scheduled behind the first step of the runs just launched, so that no handler waits for metrics.
        asyncio.get_running_loop().call_soon(self._report, claims)

    def _release_missed(self, share: Sequence[PendingLot], missed: dict[bytes, Delivery]) -> None:
        """Drops jobs that this claim missed: another worker has them, they have ended, or they aren't committed yet. The last
        are claimed again a few times, if they were rung for ahead."""
        for part in share:
            for job_id in part.lot.each():
                if missed.get(job_id) is not part.delivery:
                    continue
                del missed[job_id]
                if not part.delivery.ahead or part.misses == len(RETRY_MISSED_SECONDS):
                    part.delivery.close()
                    continue
                again = part._replace(lot=part.lot._replace(ids=job_id), misses=part.misses + 1)
                asyncio.get_running_loop().call_later(RETRY_MISSED_SECONDS[part.misses], self._retry_missed, again)

    def _retry_missed(self, part: PendingLot) -> None:
        if self._stopping:
            self._return([part])
            return
        self._slots.of(part.lot.kind).pending.add(part)
        self._wake.set()

    def _deliveries_of(self, share: Sequence[PendingLot]) -> dict[bytes, Delivery]:
        """The delivery of each job to claim, without jobs that are named twice or still run here."""
        deliveries: dict[bytes, Delivery] = {}
        for lot, _, delivery, _ in share:
            for job_id in lot.each():
                if job_id in deliveries or job_id in self._running:
                    delivery.close()
                else:
                    deliveries[job_id] = delivery
        return deliveries

    def _report(self, claims: Sequence[Claimed]) -> None:
        self._notifier.notify({claimed.tenant_id for claimed in claims})
        waits: dict[str, list[float]] = defaultdict(list)
        for claimed in claims:
            waits[claimed.kind].append((claimed.claimed_at - claimed.due_at).total_seconds())
        for kind, seconds in waits.items():
            metrics.picked_up(kind, seconds)
        metrics.jobs_claimed(self._queue, len(claims))
        metrics.batch_sent(metrics.Path.CLAIM, len(claims))
