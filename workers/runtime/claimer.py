"""Claims the jobs that wait in this worker, many at a time, and hands those it got to whoever runs them."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from uuid import UUID

from infrastructure.batching import Pace
from infrastructure.celery.lists import priority_of, turn_of
from infrastructure.celery.message import Doorbell, Ring
from infrastructure.postgres import claiming
from infrastructure.postgres.claiming import Claimed
from infrastructure.postgres.connections import Line
from monitoring import metrics
from workers.runtime.bell import Bell
from workers.runtime.gate import Gate
from workers.runtime.handler import Child
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.insisting import insist
from workers.runtime.messenger import Messenger
from workers.runtime.waiting import Waiting, WaitingLine

logger = logging.getLogger(__name__)

MOST_IN_A_CLAIM = 64
"""A claim of all there is room for would leave the loop idle while PostgreSQL works, and then PostgreSQL while the loop
starts what it got: in smaller claims they work at the same time, which is worth a twelfth of a drain."""

SOUGHT_AGAIN_SECONDS = (0.0, 0.0005, 0.001, 0.002, 0.004)
"""When a job that was rung for ahead is sought again after each claim that didn't find it: that came before the job's
statement, and so had no commit to wait for."""


class Claimer:
    """Claims as long as there is room. With more than one line, PostgreSQL works on a claim while the one before it is
    being started."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        messenger: Messenger,
        gate: Gate,
        *,
        queue: str,
        lines: Sequence[Line],
        running: Container[int],
        room: Callable[[], int],
        children_of: Callable[[Sequence[Claimed]], Awaitable[Mapping[UUID, tuple[Child, ...]]]],
        launch: Callable[[Claimed, Bell, tuple[Child, ...]], None],
    ) -> None:
        self._heartbeat = heartbeat
        self._messenger = messenger
        self._gate = gate
        self._queue = queue
        self._lines = lines
        self._running = running
        self._room = room
        self._children_of = children_of
        self._launch = launch
        self._waiting = WaitingLine(gate.weight)
        self._wake = asyncio.Event()
        self._pace = Pace()
        self._under_way = 0
        self._stopping = False
        self._loops: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        self._loops = [asyncio.create_task(self._claim_for_ever(line), name="claims") for line in self._lines]

    def take(self, doorbell: Doorbell) -> Bell:
        """Its `done` is done when none of the jobs is this worker's business any more."""
        bell = Bell(doorbell.jobs, ahead=doorbell.ahead)
        self._waiting.join(doorbell, bell)
        self._wake.set()
        return bell

    def look_again(self) -> None:
        """There may be room, or what was held back may go on."""
        if self._waiting:
            self._wake.set()

    async def stop(self, within_seconds: float) -> None:
        """Claims nothing more. Bells not begun go back to the front of the queue, so that another worker has them at once."""
        self._stopping = True
        self._wake.set()
        await asyncio.wait(self._loops, timeout=within_seconds)
        for loop in self._loops:
            loop.cancel()
        self._return(self._waiting.take(len(self._waiting)))

    def _return(self, waiting: Sequence[Waiting]) -> None:
        self._messenger.return_first(
            Ring(job_id, lot.tenant_id, lot.kind, self._queue, priority_of(step))
            for lot, step, *_ in waiting
            for job_id in lot.job_ids
        )
        for lot, _, bell, _ in waiting:
            bell.close(lot.jobs)

    async def _claim_for_ever(self, line: Line) -> None:
        while not self._stopping:
            room = self._room() - self._under_way
            if not self._waiting or room <= 0 or self._gate.closed:
                self._wake.clear()
                await self._wake.wait()
                continue
            if (rest := self._pace.rest_seconds()) > 0 and len(self._waiting) < MOST_IN_A_CLAIM:
                await asyncio.sleep(rest)
                continue
            share = self._waiting.take(min(room, MOST_IN_A_CLAIM))
            jobs = sum(part.lot.jobs for part in share)
            self._pace.begin(jobs)
            self._under_way += jobs
            try:
                await self._claim(line, share)
            finally:
                self._under_way -= jobs

    async def _claim(self, line: Line, share: list[Waiting]) -> None:
        self._tell_taken(share)
        bells = self._bells_of(share)
        worker_id = self._heartbeat.worker_id
        try:
            ids = await self._gate.let_through(share, sorted(bells))
            ahead = [job_id for job_id in ids if bells[job_id].ahead]
            claims = await insist(line, lambda connection: claiming.claim(connection, worker_id, ids, rung_ahead=ahead))
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

    def _let_go(self, share: Sequence[Waiting], missed: dict[bytes, Bell]) -> None:
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
        self._waiting.add(part)
        self._wake.set()

    def _tell_taken(self, share: Sequence[Waiting]) -> None:
        taken = Counter[tuple[str, str]]()
        for lot, step, _, misses in share:
            if not misses:
                taken[self._queue, turn_of(step, lot.tenant_id)] += lot.jobs
        self._messenger.taken(taken)

    def _bells_of(self, share: Sequence[Waiting]) -> dict[bytes, Bell]:
        """Who rang for each job that is to be claimed: not for one named twice, nor for one that still runs here."""
        bells: dict[bytes, Bell] = {}
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
        metrics.batch_sent(metrics.Lane.CLAIM, len(claims))
