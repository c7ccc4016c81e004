"""Collects what is to be announced while an announcement is under way, so that a burst costs one command, not many."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from infrastructure.batching import Pace
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.line import Line
from infrastructure.redis.loudspeaker import Channel, announcement


class Announcer:
    """Tells the subscribers' processes which tenants have something new. Never blocks, never fails, may lose.

    Those of a quiet moment go at once, a stream of them is thinned."""

    def __init__(self, redis: Redis) -> None:
        self._line = Line(redis)
        self._tenants: set[UUID] = set()
        self._pace = Pace()
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
                if (rest := self._pace.rest_seconds()) > 0:
                    await asyncio.sleep(rest)
                self._pace.begin()
                tenants, self._tenants = self._tenants, set()
                await self._line.ask(announcement(Channel.TENANTS, tenants))
        except FAULTS:
            # Subscribers look into PostgreSQL every second anyway; nothing is lost but that second.
            self._tenants.clear()
        finally:
            self._speaking = None
