"""Pushes doorbells for submitted jobs in background tasks. A push that fails is left to the sweeper."""

import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.concurrency.watched import WatchedTasks
from infrastructure.postgres.session import PostgresSession
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.pubsub import Channel, announce
from monitoring.metrics import bus as metrics
from producers.dispatcher.controls import PausedQueues

logger = logging.getLogger(__name__)

MAX_PUSHES = 64
"""Concurrent pushes. While Redis is slow, the sweeper rings for the jobs beyond this."""


class DoorbellNotifier:
    """One per submitter. Reads the paused queues over the submitter's own session."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._pushes = WatchedTasks()
        self._paused_queues = PausedQueues(session, self._start)

    def ring(self, refs: Sequence[JobRef]) -> None:
        """Starts a push for committed jobs and returns at once. Safe to repeat: a doorbell is only a hint."""
        if not refs:
            return
        if len(self._pushes) >= MAX_PUSHES:
            metrics.doorbells_failed(len(refs))
            return
        self._start(self._push(refs))

    def ring_ahead(self, refs: Sequence[JobRef]) -> bool:
        """Starts a push for jobs whose commit is under way. False, and no push, while MAX_PUSHES run or when their tenants
        must wait for a turn."""
        if len(self._pushes) >= MAX_PUSHES or not self._doorbells.have_room_for(refs):
            return False
        self._start(self._push(refs, ahead=True))
        return True

    def request_admission(self, job_ids: Sequence[UUID]) -> None:
        """Asks a dispatcher to admit these jobs, which are capped by their concurrency limit."""
        self._start(self._request_admission(job_ids))

    async def close(self) -> None:
        """Waits until every push has succeeded or failed."""
        await self._pushes.finish()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._pushes.start(work, "rings")

    async def _push(self, refs: Sequence[JobRef], *, ahead: bool = False) -> None:
        if paused := await self._paused_queues.known({ref.queue for ref in refs}):
            refs = [ref for ref in refs if ref.queue not in paused]
        try:
            if ahead:
                doorbells = await self._doorbells.ring_ahead(refs)
            else:
                doorbells = (await self._doorbells.ring(refs)).bells
            metrics.doorbells_rung(doorbells)
        except FAULTS:
            # The jobs are committed: a sweeper rings for them once Redis is back.
            metrics.doorbells_failed(len(refs))
            logger.warning("doorbells failed for %d jobs: Redis refused them or can't be reached", len(refs))

    async def _request_admission(self, job_ids: Sequence[UUID]) -> None:
        with suppress(*FAULTS):  # The sweep finds capped jobs by itself.
            await announce(self._redis, Channel.ADMISSION, job_ids)
