"""Redis's time, for what several machines say of themselves in Redis and compare: their own clocks may differ."""

import time

from infrastructure.redis.client import Redis

KNOWN_SECONDS = 10.0
"""So long this machine measures on by itself: no quartz is off by a thousandth."""


class RedisClock:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._told = 0.0
        self._told_at = -KNOWN_SECONDS
        """By this machine's own measure of passing time."""

    async def now(self) -> float:
        """Seconds of the Unix epoch, off by a round trip at the most. Asks Redis once in KNOWN_SECONDS and raises one of
        the client's FAULTS when it can't be asked."""
        measured = time.monotonic()
        if measured - self._told_at >= KNOWN_SECONDS:
            seconds, microseconds = await self._redis.time()
            self._told, self._told_at = seconds + microseconds / 1_000_000, time.monotonic()
            return self._told
        return self._told + measured - self._told_at
