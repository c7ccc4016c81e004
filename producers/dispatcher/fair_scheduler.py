"""Fair scheduling between tenants that have more pending jobs than the doorbell window holds.

Their other jobs stay in PostgreSQL, and one dispatcher at a time feeds the queues' lists from there: a newcomer's first job
at once, then the tenants in turn, by weight. See docs/decisions/0009.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from infrastructure.celery.doorbell import Doorbells, waiting_in
from infrastructure.concurrency.loops import Loop
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.redis.client import Redis
from infrastructure.redis.pubsub import Channel, Subscription, words_in
from producers.dispatcher.controls import Controls
from producers.dispatcher.queue_feeder import QueueFeeder
from schemas.catalogue import queues

logger = logging.getLogger(__name__)

RAMP_SECONDS, ROUND_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.02, 0.1
"""Between two rounds: after the lists ran empty, while tenants have turns, and at most while few jobs are rung."""
WATCH_SECONDS = 0.25
"""All queues are looked at this often, whether or not a message named them."""
BUSY_ROUND_JOBS = 8
"""A round that rang fewer jobs is followed by a longer pause: with a thousand tenants some always have jobs pending, and
each round would read all of them to ring small doorbells for a few."""
RETRY_SECONDS = 1.0
"""How often a standby dispatcher tries to become the feeder."""
FEEDER_SESSION = {"idle_session_timeout": "10s"}
"""A frozen feeder loses its session and with it the advisory lock."""
KEEPALIVE_SECONDS = 2.0
"""An idle feeder sends a statement this often, so that its session isn't ended as idle."""
ONE_FEEDER_AT_A_TIME = 0x7475_726E
"""The advisory lock's key: "turn" in ASCII."""


class FairScheduler:
    """Feeds all queues while it holds the advisory lock; the other dispatchers stand by."""

    def __init__(
        self, redis: Redis, session: PostgresSession, controls: Controls, *, ring_again_seconds: float
    ) -> None:
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._session = session
        self._controls = controls
        self._ring_again_seconds = ring_again_seconds
        self._feeders: dict[str, QueueFeeder] = {}
        for queue in queues():
            self._feeder_of(queue)
        self._wake = asyncio.Event()
        self._watched_at = self._began_at = self._pinged_at = self._not_before = 0.0
        self._pause_seconds = ROUND_SECONDS
        self._locked_on: Connection | None = None
        self.feeding = False
        """Whether this dispatcher holds the lock."""

    def mark_pending(self, queue: str, turns: Iterable[tuple[int, UUID]]) -> None:
        """These (step, tenant) have pending jobs whose doorbells may be lost: they are read from the start and rung again."""
        self._feeder_of(queue).mark_pending(turns, from_start=True)
        self._wake.set()

    @property
    def loops(self) -> tuple[Loop, ...]:
        channel = Subscription(self._redis, self._on_message, Channel.OVERFLOW)
        return (
            Loop("fair scheduling", RETRY_SECONDS, self.feed, wake=self._wake),
            Loop("overflow channel", 0.0, channel.read),
        )

    def _feeder_of(self, queue: str) -> QueueFeeder:
        """Made when the queue is first met: it may be of a package that this dispatcher lacks."""
        feeder = self._feeders.get(queue)
        if feeder is None:
            feeder = QueueFeeder(queue, self._doorbells, self._weight, ring_again_seconds=self._ring_again_seconds)
            self._feeders[queue] = feeder
        return feeder

    async def feed(self) -> float:
        """One round over all queues, where this dispatcher has the lock or gets it. Returns how long to pause."""
        if (early_seconds := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(early_seconds)
            self._wake.clear()
        try:
            return await self._session.run(self._feed)
        except BaseException:
            # Losing the connection releases the lock.
            self._stand_by()
            raise

    def _weight(self, tenant_id: UUID) -> int:
        return self._controls.now.weight(tenant_id)

    def _on_message(self, received: tuple[Channel, bytes] | None) -> None:
        if received is not None and self.feeding:
            self._on_overflow(received[1])

    def _on_overflow(self, message: bytes) -> None:
        try:
            received = waiting_in(words_in(message))
        except ValueError:
            logger.warning("an overflow message couldn't be read; its tenants are found in PostgreSQL")
            return
        for queue, step, tenant_id in received:
            if (feeder := self._feeders.get(queue)) is not None:
                feeder.mark_pending([(step, tenant_id)])
        self._wake.set()

    async def _feed(self, connection: Connection) -> float:
        if connection is not self._locked_on:
            self._stand_by()
            if not await self._lock(connection, "pg_try_advisory_lock"):
                return RETRY_SECONDS
            self._locked_on, self.feeding = connection, True
        try:
            self._pause_seconds = await self._round(connection, self._pause_seconds)
        except BaseException:
            with suppress(Exception):
                await self._lock(connection, "pg_advisory_unlock")
            raise
        # Woken or not, the next round begins ROUND_SECONDS after this one did.
        self._not_before = min(time.monotonic() + self._pause_seconds, self._began_at + ROUND_SECONDS)
        return self._pause_seconds

    def _stand_by(self) -> None:
        """Another dispatcher may feed now: this one forgets what it knew of the queues."""
        if self._locked_on is not None:
            self._locked_on, self.feeding = None, False
            self._pause_seconds = ROUND_SECONDS
            for feeder in self._feeders.values():
                feeder.reset()

    async def _lock(self, connection: Connection, function: str) -> bool:
        found = await connection.execute(f"SELECT {function}({ONE_FEEDER_AT_A_TIME})")
        row = await found.fetchone()
        return row is not None and bool(row[0])

    async def _round(self, connection: Connection, last_pause_seconds: float) -> float:
        """Feeds every queue with pending tenants, and every WATCH_SECONDS looks at all; returns how long to pause."""
        now = self._began_at = time.monotonic()
        if watching := now - self._watched_at >= WATCH_SECONDS:
            self._watched_at = now
        if now - self._pinged_at > KEEPALIVE_SECONDS:
            self._pinged_at = now
            await connection.execute("SELECT")
        closed = self._controls.now.closed_queues
        queues = [queue for queue, one in self._feeders.items() if queue not in closed and (watching or one.waiting)]
        if not queues:
            return WATCH_SECONDS
        rung, ran_out, busy = 0, False, False
        for queue, doorbells in (await self._doorbells.lengths(queues)).items():
            feeder, standing = self._feeders[queue], any(doorbells.values())
            if not (standing or feeder.waiting):
                continue
            rung_here = await feeder.run_round(connection, doorbells)
            busy = busy or feeder.waiting
            ran_out = ran_out or (rung_here > 0 and not standing)
            rung += rung_here
        if not busy:
            return WATCH_SECONDS
        if ran_out:
            return RAMP_SECONDS
        if rung >= BUSY_ROUND_JOBS:
            return ROUND_SECONDS
        return min(2 * max(last_pause_seconds, ROUND_SECONDS), LONGEST_PAUSE_SECONDS)
