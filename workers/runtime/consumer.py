"""Runs the jobs that doorbells name: claims them in batches, runs each as a coroutine, settles them in batches."""

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from infrastructure.batching import FULL, INTERVAL_SECONDS, MOST_IN_A_BATCH
from infrastructure.celery.lists import priority_of, turn_of
from infrastructure.celery.message import Doorbell, Ring
from infrastructure.ports import Unavailable
from infrastructure.postgres import claiming
from infrastructure.postgres.claiming import Claimed
from infrastructure.postgres.connections import Line
from infrastructure.postgres.settling import Settlement
from infrastructure.postgres.workers import leases_of
from monitoring import metrics
from producers.rules import Rules
from schemas.commands import Command
from schemas.jobs import JobState
from schemas.problems import Problem
from workers.runtime.attempt import Attempt, perform
from workers.runtime.bell import Bell
from workers.runtime.gate import Gate
from workers.runtime.handler import Child, Handler
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.insisting import insist
from workers.runtime.messenger import Messenger
from workers.runtime.outcomes import Outcome, Stop, Stopped, released, settlement_of
from workers.runtime.settler import Settler
from workers.runtime.waiting import Waiting, WaitingLine

logger = logging.getLogger(__name__)

LIMIT_CHECK_SECONDS = 0.25
MOST_UNSETTLED = 1_000
"""Runs that have ended and wait to be settled hold no slot, so that claiming goes on meanwhile; but not without bound."""
STUBBORN_SECONDS = 5.0
"""A coroutine that hasn't ended this long after its cancel is abandoned."""


class JobConsumer:
    """One per worker process, on one event loop. Celery's pool calls `take`, `stop`, `resize` and `drain`."""

    def __init__(
        self,
        handlers: Sequence[Handler[Any]],
        heartbeat: Heartbeat,
        messenger: Messenger,
        *,
        queue: str,
        claim_line: Line,
        settle_line: Line,
        aside_line: Line,
        concurrency: int,
        rules: Callable[[], Rules],
        ring_again_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._handlers: Mapping[str, Handler[Any]] = {handler.kind: handler for handler in handlers}
        self._heartbeat = heartbeat
        self._messenger = messenger
        self._queue = queue
        self._claim_line, self._aside_line = claim_line, aside_line
        self._concurrency = concurrency
        self._grace_seconds = grace_seconds
        self._gate = Gate(queue, rules, aside_line, messenger)
        self._waiting = WaitingLine(self._gate.weight)
        self._running: dict[UUID, Attempt] = {}
        self._busy = 0
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._draining = False
        self._one_suspect = asyncio.Semaphore(1)
        self._settler = Settler(
            settle_line=settle_line,
            aside_line=aside_line,
            messenger=messenger,
            heartbeat=heartbeat,
            running=self._running,
            on_settled=self._settled,
            ring_again_seconds=ring_again_seconds,
        )
        self._loops: list[asyncio.Task[None]] = []
        self._unknown: dict[UUID, UUID] = {}

    def begin(self) -> None:
        self._loops = [
            asyncio.create_task(self._claim_for_ever(), name="claims"),
            asyncio.create_task(self._limit_for_ever(), name="time limits"),
        ]

    def take(self, doorbell: Doorbell) -> Bell:
        """Its `done` is done when none of the jobs is this worker's business any more."""
        bell = Bell(sum(len(job_ids) for _, job_ids in doorbell.jobs))
        self._waiting.join(doorbell, bell)
        self._wake.set()
        return bell

    def revoke(self, bell: Bell) -> None:
        """Cancels the bell's jobs: those that run at once, those that wait here when they are claimed."""
        bell.revoked = True
        self.stop([attempt.job_id for attempt in self._running.values() if attempt.bell is bell], Stop.REVOKED)

    def stop(self, job_ids: Sequence[UUID], reason: Stop) -> None:
        """Ends those of the jobs that run here."""
        for job_id in job_ids:
            if (running := self._running.get(job_id)) is not None:
                running.stop(reason)

    def stop_all(self, reason: Stop) -> None:
        for running in list(self._running.values()):
            running.stop(reason)

    def resize(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._wake.set()

    def look_again(self) -> None:
        """The rules have changed: what was held back may go on."""
        self._wake.set()

    async def check_leases(self) -> None:
        """Makes good what was missed: stops runs whose jobs were cancelled or given to another worker, and hands back
        jobs whose claim's answer never came. Call it every few seconds."""
        running = self._tokens()
        worker_id = self._heartbeat.worker_id
        try:
            held = await self._aside_line.run(lambda line: leases_of(line, worker_id))
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
        return {job_id: attempt.claimed.token for job_id, attempt in self._running.items()}

    async def drain(self) -> None:
        """Claims nothing more, lets what runs finish within the grace period, hands back the rest unharmed."""
        self._draining = True
        self._wake.set()
        await asyncio.wait([self._loops[0]], timeout=STUBBORN_SECONDS)
        self._hand_back_waiting()
        await self._until_idle(self._grace_seconds)
        self.stop_all(Stop.DRAINING)
        await self._until_idle(STUBBORN_SECONDS)
        for loop in self._loops:
            loop.cancel()

    # Claiming

    async def _claim_for_ever(self) -> None:
        claimed_at = 0.0
        while not self._draining:
            room = min(self._concurrency - self._busy, self._concurrency + MOST_UNSETTLED - len(self._running))
            if not self._waiting or room <= 0 or self._gate.closed:
                self._wake.clear()
                await self._wake.wait()
                continue
            if (rest := claimed_at + INTERVAL_SECONDS - time.monotonic()) > 0 and len(self._waiting) < FULL:
                await asyncio.sleep(rest)
            claimed_at = time.monotonic()
            await self._claim(self._waiting.take(min(room, MOST_IN_A_BATCH)))

    async def _claim(self, share: list[Waiting]) -> None:
        self._messenger.taken(Counter((self._queue, turn_of(one.step, one.tenant_id)) for one in share))
        bells: dict[UUID, Bell] = {}
        for one in share:
            if one.job_id in bells or one.job_id in self._running:
                one.bell.close_one()
            else:
                bells[one.job_id] = one.bell
        worker_id = self._heartbeat.worker_id
        try:
            ids = await self._gate.let_through(share, list(bells))
            claims = await insist(self._claim_line, lambda line: claiming.claim(line, worker_id, ids))
            children = await self._children_of(claims)
        except Exception:  # The loop's edge: what was claimed is found by `check_leases`, the rest by the sweeper.
            logger.exception("a claim failed; going on with the next")
            claims, children = [], {}
        for claimed in claims:
            self._launch(claimed, bells.pop(claimed.id), children.get(claimed.id, ()))
        for bell in bells.values():
            bell.close_one()
        self._count_claimed(claims)
        self._messenger.tell({claimed.tenant_id for claimed in claims})

    def _count_claimed(self, claims: list[Claimed]) -> None:
        now = datetime.now(UTC)
        waits: dict[str, list[float]] = defaultdict(list)
        for claimed in claims:
            waits[claimed.kind].append((now - claimed.due_at).total_seconds())
        for kind, seconds in waits.items():
            metrics.picked_up(kind, seconds)
        metrics.jobs_claimed(self._queue, len(claims))
        metrics.batch_sent(metrics.Lane.CLAIM, len(claims))

    async def _children_of(self, claims: list[Claimed]) -> dict[UUID, tuple[Child, ...]]:
        parents = [one.id for one in claims if (h := self._handlers.get(one.kind)) is not None and h.awaits_children]
        if not parents:
            return {}
        rows = await insist(self._aside_line, lambda line: claiming.children_of(line, parents))
        found: dict[UUID, list[Child]] = defaultdict(list)
        for parent, job_id, kind, state, result, problem in rows:
            told = None if problem is None else Problem.model_validate(problem)
            found[parent].append(Child(job_id, kind, JobState(state), result, told))
        return {parent: tuple(children) for parent, children in found.items()}

    def _launch(self, claimed: Claimed, bell: Bell, children: tuple[Child, ...]) -> None:
        limit = self._command_type(claimed.kind).time_limit_seconds
        attempt = Attempt(claimed, limit, bell, children, self._messenger.report)
        if bell.revoked:
            attempt.stop(Stop.REVOKED)
        self._running[claimed.id] = attempt
        self._busy += 1
        attempt.task = asyncio.create_task(self._run_suspect(attempt) if claimed.crashes else self._run(attempt))

    def _command_type(self, kind: str) -> type[Command]:
        handler = self._handlers.get(kind)
        return Command if handler is None else handler.command_type

    # Running

    async def _run(self, attempt: Attempt) -> None:
        try:
            outcome = await perform(attempt, self._handlers)
        finally:
            self._busy -= 1
            self._wake.set()
        self._end(attempt, outcome)

    async def _run_suspect(self, attempt: Attempt) -> None:
        # One suspect at a time: when the process dies again, it is known in whose run.
        attempt.entered = True
        outcome: Outcome
        try:
            async with self._one_suspect:
                await insist(self._aside_line, lambda line: claiming.charge(line, attempt.claimed))
                outcome = await perform(attempt, self._handlers)
        except asyncio.CancelledError:
            outcome = Stopped(attempt.stopped or Stop.LEASE_LOST)
        finally:
            self._busy -= 1
            self._wake.set()
        self._end(attempt, outcome)

    def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        policy = self._command_type(attempt.claimed.kind).retry
        settlement = settlement_of(attempt.claimed, outcome, dice=random.random, policy=policy)
        if settlement is None:
            self._forget(attempt)
        else:
            self._settler.hand_in(settlement)

    def _forget(self, attempt: Attempt) -> None:
        del self._running[attempt.job_id]
        attempt.bell.close_one()
        if self._draining and not self._running:
            self._ended.set()

    def _ring_next(self, claimed: Claimed, settlement: Settlement) -> None:
        if settlement.children:
            self._messenger.ring(
                Ring(one.id, one.tenant_id, one.kind, one.queue, one.priority) for one in settlement.children
            )
        elif settlement.due is not None:
            seconds = (settlement.due - datetime.now(UTC)).total_seconds()
            self._messenger.ring_in(
                seconds, Ring(claimed.id, claimed.tenant_id, claimed.kind, self._queue, claimed.priority)
            )

    async def _limit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LIMIT_CHECK_SECONDS)
            now = time.monotonic()
            for attempt in list(self._running.values()):
                if attempt.ends_at <= now:
                    attempt.stop(Stop.TIME_LIMIT)

    def _settled(self, settlement: Settlement, effective: bool) -> None:
        attempt = self._running.get(settlement.job_id)
        if attempt is None or attempt.claimed.token != settlement.token:
            return  # An unknown lease that was handed back.
        self._forget(attempt)
        if effective and settlement.due is not None:
            self._ring_next(attempt.claimed, settlement)

    # Ending

    def _hand_back_waiting(self) -> None:
        # Bells not begun go back to the front of the queue, so that another worker has them at once.
        waiting = self._waiting.take(len(self._waiting))
        self._messenger.return_first(
            Ring(one.job_id, one.tenant_id, one.kind, self._queue, priority_of(one.step)) for one in waiting
        )
        for one in waiting:
            one.bell.close_one()

    async def _until_idle(self, seconds: float) -> None:
        self._ended.clear()
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()
