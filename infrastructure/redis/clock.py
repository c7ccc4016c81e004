"""Redis's clock, for times that several machines write to Redis and compare: their own clocks may differ."""

import time
from collections.abc import Sequence
from typing import Any

from infrastructure.redis.client import Redis

KNOWN_SECONDS = 10.0
"""How long a reading is extrapolated with the machine's monotonic clock, which drifts by less than a thousandth."""


class RedisClock:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._told: tuple[float, float] | None = None
        """Redis's time, and this machine's monotonic clock when it came."""

    @property
    def is_due(self) -> bool:
        """Whether Redis should be asked again. Whoever sends it commands anyway sends TIME with them and calls `learn`."""
        return self._told is None or time.monotonic() - self._told[1] >= KNOWN_SECONDS

    def learn(self, reply: Sequence[Any]) -> None:
        """Takes the reply to TIME: seconds and microseconds."""
        self._told = int(reply[0]) + int(reply[1]) / 1_000_000, time.monotonic()

    def estimate(self) -> float | None:
        """Seconds of the Unix epoch, as far as it is known without asking; None before the first answer."""
        return None if self._told is None else self._told[0] + time.monotonic() - self._told[1]

    async def now(self) -> float:
        """Seconds of the Unix epoch, off by a round trip at the most. Raises one of the client's FAULTS when Redis has to
        be asked and can't be."""
        if self.is_due:
            self.learn(await self._redis.time())
        estimate = self.estimate()
        assert estimate is not None, "Redis has answered"
        return estimate
