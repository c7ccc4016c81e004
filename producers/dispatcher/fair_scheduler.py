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
from infrastructure.ports import Unavailable
from infrastructure.postgres.session import Connection, PostgresSession
from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.pubsub import Channel, listen, words_in
from producers.dispatcher.controls import Controls
from producers.dispatcher.queue_feeder import QueueFeeder
from schemas.commands import Queue

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
        self._feeders = {
            queue.value: QueueFeeder(queue, self._doorbells, self._weight, ring_again_seconds=ring_again_seconds)
            for queue in Queue
        }
        self._wake = asyncio.Event()
        self._watched_at = self._began_at = self._pinged_at = 0.0
        self.feeding = False
        """Whether this dispatcher holds the lock."""

    def mark_pending(self, queue: str, turns: Iterable[tuple[int, UUID]]) -> None:
        """These (step, tenant) have pending jobs whose doorbells may be lost: they are read from the start and rung again."""
        self._feeders[queue].mark_pending(turns, from_start=True)
        self._wake.set()

    async def listen_for_ever(self) -> None:
        async for received in listen(self._redis, Channel.OVERFLOW):
            if received is not None and self.feeding:
                self._on_overflow(received[1])

    async def serve_for_ever(self) -> None:
        """Waits for the lock, then feeds until the connection is lost; and again."""
        while True:
            try:
                await self._session.run(self._feed)
            except Unavailable:
                logger.warning("fair scheduling paused: PostgreSQL can't be reached")
            except FAULTS:
                logger.warning("fair scheduling paused: Redis can't be reached")
            except Exception:  # The loop's edge: one failed round must not stop the loop.
                logger.exception("fair scheduling failed; trying again")
            await asyncio.sleep(RETRY_SECONDS)

    def _weight(self, tenant_id: UUID) -> int:
        return self._controls.now.weight(tenant_id)

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

    async def _feed(self, connection: Connection) -> None:
        if not await self._lock(connection, "pg_try_advisory_lock"):
            return
        self.feeding = True
        try:
            pause_seconds = ROUND_SECONDS
            while True:
                pause_seconds = await self._round(connection, pause_seconds)
                await self._rest(pause_seconds)
        finally:
            self.feeding = False
            for feeder in self._feeders.values():
                feeder.reset()
            with suppress(Exception):  # Losing the connection releases the lock.
                await self._lock(connection, "pg_advisory_unlock")

    async def _lock(self, connection: Connection, function: str) -> bool:
        found = await connection.execute(f"SELECT {function}({ONE_FEEDER_AT_A_TIME})")
        row = await found.fetchone()
        return row is not None and bool(row[0])

    async def _rest(self, seconds: float) -> None:
        """Waits so long or until woken, but at least until ROUND_SECONDS after the last round began."""
        least = min(seconds, ROUND_SECONDS - (time.monotonic() - self._began_at))
        if least > 0:
            await asyncio.sleep(least)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - max(least, 0.0)):
                await self._wake.wait()
        self._wake.clear()

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
