"""Notices that this worker hears no more bells though Redis is there: a connection that is dead and doesn't know it.

Socket timeouts and Celery's own checks mend almost all of it; this is for what they don't, whatever it is.
"""

import asyncio
import time

from infrastructure.celery.liveness import Liveness
from infrastructure.redis.client import Redis
from infrastructure.redis.probe import probe
from schemas.health import PartState

LOOK_SECONDS = 1.0
QUIET_SECONDS = 5.0
"""So long an open question is nothing to wonder about; beyond it Redis itself is asked, once a second."""


class Watchdog:
    def __init__(self, pulse: Liveness, redis: Redis, *, patience_seconds: float) -> None:
        self._pulse = pulse
        self._redis = redis
        self._patience_seconds = patience_seconds

    async def until_stalled(self) -> None:
        """Returns when the question for bells has been open for all the patience while Redis answered all the time."""
        answers_since: float | None = None
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._pulse.silent_seconds < QUIET_SECONDS or not await self._redis_answers():
                answers_since = None
                continue
            now = time.monotonic()
            answers_since = answers_since or now
            # Counted from its first answer: after an outage everybody gets time to reconnect.
            if now - answers_since >= self._patience_seconds - QUIET_SECONDS:
                return

    async def _redis_answers(self) -> bool:
        # One that refuses gives no bells to anybody: that is no reason to end.
        return (await probe(self._redis)).state is PartState.OK
