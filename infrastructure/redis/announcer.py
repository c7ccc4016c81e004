"""Collects what is to be announced while an announcement is under way, so that a burst costs one command, not many."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.loudspeaker import Channel, announce

INTERVAL_SECONDS = 0.005
"""Between two announcements: the first of a quiet moment goes at once, a stream of them is thinned."""


class Announcer:
    """Tells the subscribers' processes which tenants have something new. Never blocks, never fails, may lose."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._tenants: set[UUID] = set()
        self._speaking: asyncio.Task[None] | None = None

    def tell(self, tenants: Iterable[UUID]) -> None:
        self._tenants.update(tenants)
        if self._speaking is None and self._tenants:
            self._speaking = asyncio.create_task(self._speak(), name="announcements")

    async def close(self) -> None:
        if self._speaking is not None:
            await asyncio.wait([self._speaking])

    async def _speak(self) -> None:
        try:
            while self._tenants:
                tenants, self._tenants = self._tenants, set()
                await announce(self._redis, Channel.TENANTS, tenants)
                await asyncio.sleep(INTERVAL_SECONDS)
        except FAULTS:
            # Subscribers look into PostgreSQL every second anyway; nothing is lost but that second.
            self._tenants.clear()
        finally:
            self._speaking = None
