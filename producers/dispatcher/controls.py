"""A process's copy of the controls that operators set: holds, paused queues and tenant weights.

A change is announced over Redis and takes effect at once; without Redis it is read within REFRESH_SECONDS.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from infrastructure.concurrency.loops import Loop
from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import holds
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.postgres.tenants import limits
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, Subscription
from schemas.holds import Hold, HoldAction

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 1.5
"""A tenant's suspension is in effect everywhere within two seconds."""


@dataclass(frozen=True, slots=True)
class ControlsSnapshot:
    """The controls as last read from PostgreSQL."""

    holds: tuple[Hold, ...] = ()
    """Killswitches first. Holds of whole queues are in `closed_queues`."""
    closed_queues: frozenset[str] = frozenset()
    weights: Mapping[UUID, int] = field(default_factory=dict)

    def hold_for(self, queue: str, kind: str, tenant_id: UUID) -> Iterable[UUID]:
        """Ids of the holds that such a job may match, killswitches first."""
        return [one.id for one in self.holds if one.may_concern(queue, kind, tenant_id)]

    def weight(self, tenant_id: UUID) -> int:
        return self.weights.get(tenant_id, 1)


NONE = ControlsSnapshot()


def snapshot_of(standing: Iterable[Hold], weights: Mapping[UUID, int]) -> ControlsSnapshot:
    closed, others = set(), []
    for hold in standing:
        if hold.closes_queue and hold.queue is not None:
            closed.add(hold.queue)
        else:
            others.append(hold)
    others.sort(key=lambda hold: hold.action is not HoldAction.KILL)
    return ControlsSnapshot(tuple(others), frozenset(closed), weights)


class Controls:
    """Keeps a snapshot of the controls up to date. Reading `now` never blocks."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._session = session
        self._changed = asyncio.Event()
        self.now = NONE
        self.on_change: Callable[[], None] = _nothing

    @property
    def loops(self) -> tuple[Loop, ...]:
        channel = Subscription(self._redis, lambda _: self._changed.set(), Channel.RULES)
        return (
            Loop("controls", REFRESH_SECONDS, self.refresh, wake=self._changed),
            Loop("controls channel", 0.0, channel.read),
        )

    async def refresh(self) -> None:
        """Reads the controls and calls `on_change` if they differ. Raises Unavailable, and keeps the last snapshot, while
        PostgreSQL is away."""
        read = await self._session.run(_read)
        if read != self.now:
            self.now = read
            logger.info("controls changed: %d holds, %d queues are paused", len(read.holds), len(read.closed_queues))
            self.on_change()


class PausedQueues:
    """A submitter's cached set of paused queues. A stale cache is refreshed in the background; only a doorbell that would be
    held back waits for the refresh."""

    def __init__(self, session: PostgresSession, start: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._session = session
        self._start = start
        self._paused: frozenset[str] = frozenset()
        self._stale_at = 0.0

    async def known(self, queues: Iterable[str]) -> frozenset[str]:
        """The paused ones among these queues. Their jobs aren't rung for: a dispatcher does so when the queue resumes."""
        if time.monotonic() >= self._stale_at:
            self._stale_at = time.monotonic() + REFRESH_SECONDS
            if self._paused.isdisjoint(queues):
                self._start(self._refresh())
            else:
                await self._refresh()
        return self._paused.intersection(queues)

    async def _refresh(self) -> None:
        with suppress(Unavailable):
            self._paused = await self._session.run(holds.paused_queues)


def _nothing() -> None:
    """The default callback: does nothing."""


async def _read(connection: Connection) -> ControlsSnapshot:
    return snapshot_of(await holds.listed(connection), await limits.weights(connection))
