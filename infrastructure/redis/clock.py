"""Redis's clock, for times that several machines write to Redis and compare: their own clocks may differ."""

import time

from infrastructure.redis.client import Redis

KNOWN_SECONDS = 10.0
"""How long a reading is extrapolated with the machine's monotonic clock, which drifts by less than a thousandth."""


class RedisClock:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._reading = 0.0
        self._read_at = -KNOWN_SECONDS
        """By the monotonic clock."""

    async def now(self) -> float:
        """Seconds of the Unix epoch, off by a round trip at most. Asks Redis once in KNOWN_SECONDS and raises one of
        the client's FAULTS when it can't be asked."""
        measured = time.monotonic()
        if measured - self._read_at >= KNOWN_SECONDS:
            seconds, microseconds = await self._redis.time()
            self._reading, self._read_at = seconds + microseconds / 1_000_000, time.monotonic()
            return self._reading
        return self._reading + measured - self._read_at
