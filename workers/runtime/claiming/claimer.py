"""Claims the jobs that wait in this worker, many at a time, and hands those it got to whoever runs them."""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from operator import itemgetter
from uuid import UUID

from infrastructure.celery.keys import priority_of
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, Doorbell, JobRef
from infrastructure.celery.window import Window
from infrastructure.concurrency.batching import Pace
from infrastructure.postgres.jobs import claim
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.session import PostgresSession
from monitoring.metrics import bus as metrics
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.hold_filter import HoldFilter
from workers.runtime.claiming.pending import Waiting
from workers.runtime.claiming.slots import AllSlots, Slots
from workers.runtime.handler import Child
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.running.notifier import Notifier
from workers.runtime.settling.retry_until_available import retry_until_available

logger = logging.getLogger(__name__)

MAX_IN_A_CLAIM = 64
"""A claim of all there is room for would leave the loop idle while PostgreSQL works, and then PostgreSQL while the loop
starts what it got: in smaller claims they work at the same time, which is worth a twelfth of a drain."""

SOUGHT_AGAIN_SECONDS = (0.0, 0.0005, 0.001, 0.002, 0.004)
"""When a job that was rung for ahead is sought again after each claim that didn't find it: that came before the job's
statement, and so had no commit to wait for."""


REST_SECONDS = 0.1
"""No bells are taken for so long by who handed some back behind the others."""


class Claimer:
    """Claims as long as there is room. With more than one line, PostgreSQL works on a claim while the one before it is
    being started."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        messenger: Notifier,
        gate: HoldFilter,
        *,
        queue: str,
        lines: Sequence[PostgresSession],
        slots: AllSlots,
        window: Window,
        running: Container[int],
        room: Callable[[], int],
        children_of: Callable[[Sequence[Claimed]], Awaitable[Mapping[UUID, tuple[Child, ...]]]],
        launch: Callable[[Claimed, Delivery, tuple[Child, ...]], None],
    ) -> None:
        self._heartbeat = heartbeat
        self._messenger = messenger
        self._gate = gate
        self._queue = queue
        self._sessions = lines
        self._slots = slots
        self._window = window
        window.of(lambda: slots.room)
        self._running = running
        self._room = room
        self._children_of = children_of
        self._launch = launch
        self._wake = asyncio.Event()
        self._pace = Pace()
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._loops = [asyncio.create_task(self._claim_for_ever(line), name="claims") for line in self._sessions]

    def take(self, doorbell: Doorbell) -> Delivery:
        """Its `done` is done when none of the jobs is this worker's business any more."""
        bell = Delivery(doorbell.jobs, ahead=doorbell.ahead)
        for lot in doorbell.lots:
            self._slots.of(lot.kind).line.add(Waiting(lot, doorbell.step, bell))
        self._window.taken(doorbell.jobs)
        if not self._stopping:
            self.hand_back_surplus()
        self._wake.set()
        return bell

    def look_again(self) -> None:
        """There may be room, or what was held back may go on."""
        if self._wake.is_set():
            return
        if self._slots.waiting:
            self._wake.set()
        else:
            self._window.look_again()

    def hand_back_surplus(self) -> None:
        """Returns what this worker can't start soon to its queue, where others find it."""
        for slots in self._slots.all:
            if surplus := slots.surplus:
                self._hand_back(slots, surplus)
        self._window.look_again()

    def _hand_back(self, slots: Slots, surplus: int) -> None:
        # Where it still takes bells, for jobs that run in other places, it would find these again: they go behind those, and
        # whose turn comes next stays, for it might be behind each time it's looked for.
        last = self._slots.takes_bells_without(slots)
        parts = slots.line.give_back(surplus, least_turns=1 if last else 0)
        if not parts:
            return
        if last:
            self._slots.rests_until = time.monotonic() + REST_SECONDS
            asyncio.get_running_loop().call_later(REST_SECONDS, self._window.look_again)
        metrics.jobs_handed_back(sum(part.lot.jobs for part in parts))
        self._return(parts, bell_jobs=min(max(slots.most_waiting // 2, 1), MAX_JOBS_IN_A_DOORBELL), last=last)

    async def stop(self, within_seconds: float) -> None:
        """Claims nothing more. Bells not begun go back to the front of the queue, so that another worker has them at once."""
        self._stopping = True
        self._wake.set()
        await asyncio.wait(self._loops, timeout=within_seconds)
        for loop in self._loops:
            loop.cancel()
        for slots in self._slots.all:
            self._return(slots.line.take(len(slots.line)))

    def _return(
        self, waiting: Sequence[Waiting], *, bell_jobs: int = MAX_JOBS_IN_A_DOORBELL, last: bool = False
    ) -> None:
        self._messenger.give_back(self._in_turn(waiting), bell_jobs=bell_jobs, last=last)
        for lot, _, bell, _ in waiting:
            bell.close(lot.jobs)

    def _in_turn(self, waiting: Sequence[Waiting]) -> list[JobRef]:
        """Tenants mixed as they weigh, so that each bell made of them names jobs of all."""
        before = Counter[tuple[int, UUID]]()
        turns: list[tuple[float, JobRef]] = []
        for lot, step, *_ in waiting:
            weight = self._gate.weight(lot.tenant_id)
            for job_id in lot.job_ids:
                ring = JobRef(job_id, lot.tenant_id, lot.kind, self._queue, priority_of(step))
                turns.append((before[step, lot.tenant_id] / weight, ring))
                before[step, lot.tenant_id] += 1
        return [ring for _, ring in sorted(turns, key=itemgetter(0))]

    async def _claim_for_ever(self, session: PostgresSession) -> None:
        while not self._stopping:
            if self._gate.closed or not (claimable := self._claimable()):
                self._wake.clear()
                await self._wake.wait()
                continue
            if (rest := self._pace.rest_seconds()) > 0 and self._slots.waiting < MAX_IN_A_CLAIM:
                await asyncio.sleep(rest)
                continue
            taken = [(slots, slots.line.take(jobs)) for slots, jobs in claimable]
            self._pace.begin(sum(jobs for _, jobs in claimable))
            for slots, jobs in claimable:
                self._slots.claim(slots, jobs)
            self._window.look_again()
            try:
                await self._claim(session, [part for _, parts in taken for part in parts])
            finally:
                for slots, jobs in claimable:
                    self._slots.claim(slots, -jobs)
                    slots.look(time.monotonic())

    def _claimable(self) -> list[tuple[Slots, int]]:
        """How many may be claimed now, by what they run in."""
        room, found = min(self._room(), MAX_IN_A_CLAIM), []
        for slots in self._slots.all:
            if (jobs := min(room, slots.claimable, len(slots.line))) > 0:
                found.append((slots, jobs))
                room -= jobs
        return found

    async def _claim(self, session: PostgresSession, share: list[Waiting]) -> None:
        bells = self._bells_of(share)
        worker_id = self._heartbeat.worker_id
        try:
            ids = await self._gate.let_through(share, sorted(bells))
            ahead = [job_id for job_id in ids if bells[job_id].ahead]
            claims = await retry_until_available(
                session, lambda connection: claim.claim(connection, worker_id, ids, rung_ahead=ahead)
            )
            children = await self._children_of(claims)
        except Exception:  # The loop's edge: what was claimed is found by `check_leases`, the rest by the sweeper.
            logger.exception("a claim failed; going on with the next")
            claims, children = [], {}
        for claimed in claims:
            self._launch(claimed, bells.pop(claimed.id.bytes), children.get(claimed.id, ()))
        if bells:
            self._let_go(share, bells)
        # Behind the first step of each run that was just launched: nobody's handler waits for our books.
        asyncio.get_running_loop().call_soon(self._tell_of, claims)

    def _let_go(self, share: Sequence[Waiting], missed: dict[bytes, Delivery]) -> None:
        """Of jobs that this claim didn't get: another has them, they have ended, or they aren't committed yet."""
        for part in share:
            for job_id in part.lot.each():
                if missed.get(job_id) is not part.bell:
                    continue
                del missed[job_id]
                if not part.bell.ahead or part.misses == len(SOUGHT_AGAIN_SECONDS):
                    part.bell.close()
                    continue
                again = part._replace(lot=part.lot._replace(ids=job_id), misses=part.misses + 1)
                asyncio.get_running_loop().call_later(SOUGHT_AGAIN_SECONDS[part.misses], self._seek, again)

    def _seek(self, part: Waiting) -> None:
        if self._stopping:
            self._return([part])
            return
        self._slots.of(part.lot.kind).line.add(part)
        self._wake.set()

    def _bells_of(self, share: Sequence[Waiting]) -> dict[bytes, Delivery]:
        """Who rang for each job that is to be claimed: not for one named twice, nor for one that still runs here."""
        bells: dict[bytes, Delivery] = {}
        for lot, _, bell, _ in share:
            for job_id in lot.each():
                if job_id in bells or int.from_bytes(job_id) in self._running:
                    bell.close()
                else:
                    bells[job_id] = bell
        return bells

    def _tell_of(self, claims: Sequence[Claimed]) -> None:
        self._messenger.tell({claimed.tenant_id for claimed in claims})
        waits: dict[str, list[float]] = defaultdict(list)
        for claimed in claims:
            waits[claimed.kind].append((claimed.claimed_at - claimed.due_at).total_seconds())
        for kind, seconds in waits.items():
            metrics.picked_up(kind, seconds)
        metrics.jobs_claimed(self._queue, len(claims))
        metrics.batch_sent(metrics.Path.CLAIM, len(claims))
