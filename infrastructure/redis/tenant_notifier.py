"""Collects what is to be announced while an announcement is under way, so that a burst costs one command, not many."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from infrastructure.concurrency.batching import Pace
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.pubsub import Channel, announcement

UNHEARD_SECONDS = 0.02
"""Where nobody listened to the last announcement, the next one waits for so long: a worker whose jobs nobody watches has
better things to do. Who submits a job and then waits for it is told by at most so much later. (In a cluster Redis counts
the listeners of one server, which is where all of ours are.)"""


class TenantNotifier:
    """Tells the subscribers' processes which tenants have something new. Never blocks, never fails, may lose.

    Those of a quiet moment go at once, a stream of them is thinned, and more so where nobody listens."""

    def __init__(self, redis: Redis) -> None:
        self._line = RedisConnection(redis)
        self._tenants: set[UUID] = set()
        self._pace = Pace()
        self._heard = True
        self._closing = asyncio.Event()
        self._speaking: asyncio.Task[None] | None = None

    def notify(self, tenants: Iterable[UUID]) -> None:
        self._tenants.update(tenants)
        if self._speaking is None and self._tenants:
            self._speaking = asyncio.create_task(self._speak(), name="announcements")

    async def close(self) -> None:
        self._closing.set()
        if self._speaking is not None:
            await asyncio.wait([self._speaking])

    async def _speak(self) -> None:
        try:
            while self._tenants:
                await self._rest(self._pace.rest_seconds() if self._heard else UNHEARD_SECONDS)
                self._pace.begin()
                tenants, self._tenants = self._tenants, set()
                (listeners,) = await self._line.ask(announcement(Channel.TENANTS, tenants))
                self._heard = listeners > 0
        except FAULTS:
            # Subscribers look into PostgreSQL every second anyway; nothing is lost but that second.
            self._tenants.clear()
        finally:
            self._speaking = None

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
