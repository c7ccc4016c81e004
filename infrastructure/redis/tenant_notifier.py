"""Publishes which tenants have new events, batched: what arrives during a publish goes into the next one."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from infrastructure.concurrency import watched
from infrastructure.concurrency.batching import Pace
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.connection import RedisConnection
from infrastructure.redis.pubsub import Channel, announcement

UNSUBSCRIBED_SECONDS = 0.02
"""Pause before the next publish when the last one had no subscriber, to save a busy worker the time. A client that
subscribes later is notified late by at most this. (In a cluster Redis counts the subscribers of one server, which is
where all of ours are.)"""


class TenantNotifier:
    """Publishes the tenants with new events on Channel.TENANTS. Never blocks, never fails, may lose some.

    After a quiet moment it publishes at once; a steady stream is thinned, and more so without subscribers."""

    def __init__(self, redis: Redis) -> None:
        self._connection = RedisConnection(redis)
        self._tenants: set[UUID] = set()
        self._pace = Pace()
        self._has_subscribers = True
        self._closing = asyncio.Event()
        self._publishing: asyncio.Task[None] | None = None

    def notify(self, tenants: Iterable[UUID]) -> None:
        self._tenants.update(tenants)
        if self._publishing is None and self._tenants:
            self._publishing = watched.start(self._publish(), name="announcements")

    async def close(self) -> None:
        self._closing.set()
        if self._publishing is not None:
            await asyncio.wait([self._publishing])

    async def _publish(self) -> None:
        try:
            while self._tenants:
                await self._wait(self._pace.rest_seconds() if self._has_subscribers else UNSUBSCRIBED_SECONDS)
                self._pace.begin()
                tenants, self._tenants = self._tenants, set()
                (subscribers,) = await self._connection.ask(announcement(Channel.TENANTS, tenants))
                self._has_subscribers = subscribers > 0
        except FAULTS:
            # Subscribers poll PostgreSQL every second anyway, so this costs them a second at most.
            self._tenants.clear()
        finally:
            self._publishing = None

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
