"""What operators and tenants have decided, as a process knows it: holds, and the weights of tenants.

A change is announced over Redis and takes effect at once; without Redis it is read from PostgreSQL some seconds later.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from infrastructure.ports import Unavailable
from infrastructure.postgres.jobs import holds
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.postgres.tenants import limits
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, listen
from schemas.holds import Hold, HoldAction

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ControlsSnapshot:
    """As they stood when they were read last."""

    holds: tuple[Hold, ...] = ()
    """Without those of whole queues."""
    closed_queues: frozenset[str] = frozenset()
    weights: Mapping[UUID, int] = field(default_factory=dict)

    def hold_for(self, queue: str, kind: str, tenant_id: UUID) -> Iterable[UUID]:
        """Every hold that such a job may match, a killswitch before a pause."""
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
    """Keeps the rules fresh for whoever asks: `now` never waits."""

    def __init__(self, redis: Redis, session: PostgresSession) -> None:
        self._redis = redis
        self._session = session
        self._heard = asyncio.Event()
        self.now = NONE
        self.on_change: Callable[[], None] = _nothing

    async def refresh(self) -> None:
        """Reads them anew. When PostgreSQL is away, what was known last stays."""
        try:
            read = await self._session.run(_read)
        except Unavailable:
            logger.warning("the rules aren't read anew: PostgreSQL can't be reached")
            return
        if read != self.now:
            self.now = read
            logger.info("%d holds stand, %d queues are paused", len(read.holds), len(read.closed_queues))
            self.on_change()

    async def listen_for_ever(self) -> None:
        async for _ in listen(self._redis, Channel.RULES):
            self._heard.set()

    async def serve_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._heard.wait()
            self._heard.clear()
            try:
                await self.refresh()
            except Exception:  # The loop's edge: one reading that fails must not be the last.
                logger.exception("the rules couldn't be read; they are tried again")


class PausedQueues:
    """What a submitter knows of paused queues. A ring goes out on what was known last, which costs it nothing; only one
    that would be kept back waits for a fresh look."""

    def __init__(self, session: PostgresSession, start: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._session = session
        self._start = start
        self._paused: frozenset[str] = frozenset()
        self._stale_at = 0.0

    async def known(self, queues: Iterable[str]) -> frozenset[str]:
        """Those of the queues whose jobs aren't rung for: a dispatcher does when they go on."""
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
    """Nobody wants to know of changes."""


async def _read(connection: Connection) -> ControlsSnapshot:
    return snapshot_of(await holds.listed(connection), await limits.weights(connection))
