"""Rings for what was submitted, beside everything else: nobody waits for it, and what fails is left to the sweeper."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.message import JobRef
from infrastructure.postgres.session import PostgresSession
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.pubsub import Channel, announce
from monitoring.metrics import bus as metrics
from producers.dispatcher.controls import PausedQueues

logger = logging.getLogger(__name__)

MAX_RINGING = 64
"""Pushes under way at a time. What exceeds it while Redis is slow is left to the sweeper."""


class DoorbellNotifier:
    """One per submitter, whose line it shares to learn of paused queues."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._ringing: set[asyncio.Task[None]] = set()
        self._paused_queues = PausedQueues(session, self._start)

    def ring(self, rings: Sequence[JobRef]) -> None:
        if not rings:
            return
        if len(self._ringing) >= MAX_RINGING:
            metrics.doorbells_failed(len(rings))
            return
        self._start(self._push(rings))

    def ring_ahead(self, rings: Sequence[JobRef]) -> bool:
        """The same for jobs that are being committed; False, and nothing is said, where they had to wait for a turn."""
        if len(self._ringing) >= MAX_RINGING or not self._doorbells.have_room_for(rings):
            return False
        self._start(self._push(rings, ahead=True))
        return True

    def ask_to_let_in(self, job_ids: Sequence[UUID]) -> None:
        """These are parked under a cap: a dispatcher should look."""
        self._start(self._ask_to_let_in(job_ids))

    async def close(self) -> None:
        """Returns when all has been rung for, or Redis wouldn't take it."""
        while self._ringing:
            await asyncio.wait(self._ringing)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    async def _push(self, rings: Sequence[JobRef], *, ahead: bool = False) -> None:
        if paused := await self._paused_queues.known({ring.queue for ring in rings}):
            rings = [ring for ring in rings if ring.queue not in paused]
        try:
            if ahead:
                bells = await self._doorbells.ring_ahead(rings)
            else:
                bells = (await self._doorbells.ring(rings)).bells
            metrics.doorbells_rung(bells)
        except FAULTS:
            # The jobs are kept; a sweeper rings for them as soon as Redis is back.
            metrics.doorbells_failed(len(rings))
            logger.warning("%d doorbells weren't rung: Redis can't take them", len(rings))

    async def _ask_to_let_in(self, job_ids: Sequence[UUID]) -> None:
        with suppress(*FAULTS):  # The sweep looks for them as well.
            await announce(self._redis, Channel.ADMISSION, job_ids)
