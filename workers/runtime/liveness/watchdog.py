"""Detects a worker that gets no more doorbells though Redis answers, such as one with a half-open connection.

Socket timeouts and Celery's own checks handle most cases; this is the last resort for the others.
"""

import math
import time
from collections.abc import Callable

from infrastructure.celery.liveness import Liveness
from infrastructure.redis.client import Redis
from infrastructure.redis.probe import probe
from schemas.health import PartState

LOOK_SECONDS = 1.0
QUIET_SECONDS = 5.0
"""A fetch that has been open for less isn't suspicious; after that Redis is probed once a second."""


class Watchdog:
    """`look` is the step of a loop with the period LOOK_SECONDS. Calls `on_stalled` once a fetch of doorbells has been open
    for the whole patience while Redis answered every probe."""

    def __init__(
        self, liveness: Liveness, redis: Redis, *, patience_seconds: float, on_stalled: Callable[[], None]
    ) -> None:
        self._liveness = liveness
        self._redis = redis
        self._patience_seconds = patience_seconds
        self._on_stalled = on_stalled
        self._answers_since: float | None = None

    async def look(self) -> float | None:
        if self._liveness.silent_seconds < QUIET_SECONDS or not await self._redis_answers():
            self._answers_since = None
            return None
        now = time.monotonic()
        self._answers_since = self._answers_since or now
        # Counted from the first answer: after an outage every worker gets time to reconnect.
        if now - self._answers_since < self._patience_seconds - QUIET_SECONDS:
            return None
        self._on_stalled()
        return math.inf

    async def _redis_answers(self) -> bool:
        # A Redis that refuses commands serves no worker: a restart would not help.
        return (await probe(self._redis)).state is PartState.OK
