"""Rings by turns for tenants that have more jobs waiting than may be rung at once.

The rest of their jobs waits in PostgreSQL. One dispatcher at a time feeds the queues' lists from there: a newcomer's first
job at once, whoever stands in line, and the others' in turn, by what each weighs.
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
"""Between two rounds: where all that was rung was taken at once, where turns are given, and where hardly any are."""
WATCH_SECONDS = 0.25
"""So often all lists are looked at, whoever was heard of."""
MUCH = 8
"""Jobs. A round that rang fewer is followed by a longer pause: of a thousand tenants some always wait for a turn, and each
round would look at all of them to ring small bells for a few."""
RETRY_SECONDS = 1.0
"""So often a dispatcher asks to be the one that feeds."""
FEEDER_SESSION = {"idle_session_timeout": "10s"}
"""A feeder that was frozen loses its session, and the lock with it."""
ALIVE_SECONDS = 2.0
"""So often one that has nothing to ask says something."""
ONE_FEEDER_AT_A_TIME = 0x7475_726E
"""The advisory lock's key: "turn" in ASCII."""


class FairScheduler:
    """One feeder rings at a time, however many dispatchers run; the others stand by."""

    def __init__(self, redis: Redis, session: PostgresSession, rules: Controls, *, ring_again_seconds: float) -> None:
        self._redis = redis
        self._doorbells = Doorbells(redis)
        self._session = session
        self._rules = rules
        self._feeders = {
            queue.value: QueueFeeder(queue, self._doorbells, self._weight, ring_again_seconds=ring_again_seconds)
            for queue in Queue
        }
        self._called = asyncio.Event()
        self._watched_at = self._began_at = self._heard_of_at = 0.0
        self.feeding = False
        """Whether this one is it."""

    def name(self, queue: str, turns: Iterable[tuple[int, UUID]]) -> None:
        """These (step, tenant) have jobs that wait and may have lost their bells."""
        self._feeders[queue].name(turns, anew=True)
        self._called.set()

    async def listen_for_ever(self) -> None:
        async for heard in listen(self._redis, Channel.OVERFLOW):
            if heard is not None and self.feeding:
                self._hear(heard[1])

    async def serve_for_ever(self) -> None:
        """Feeds as soon as no other dispatcher does."""
        while True:
            try:
                await self._session.run(self._feed)
            except Unavailable:
                logger.warning("no turns are given: PostgreSQL can't be reached")
            except FAULTS:
                logger.warning("no turns are given: Redis can't be reached")
            except Exception:  # The loop's edge: one failed round must not be the last.
                logger.exception("giving turns failed; it is tried again")
            await asyncio.sleep(RETRY_SECONDS)

    def _weight(self, tenant_id: UUID) -> int:
        return self._rules.now.weight(tenant_id)

    def _hear(self, words: bytes) -> None:
        try:
            heard = waiting_in(words_in(words))
        except ValueError:
            logger.warning("what was said of turns can't be read; whom it names is found in PostgreSQL")
            return
        for queue, step, tenant_id in heard:
            if (feeder := self._feeders.get(queue)) is not None:
                feeder.name([(step, tenant_id)])
        self._called.set()

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
                feeder.begin_anew()
            with suppress(Exception):  # A lost connection has given the lock up by itself.
                await self._lock(connection, "pg_advisory_unlock")

    async def _lock(self, connection: Connection, function: str) -> bool:
        found = await connection.execute(f"SELECT {function}({ONE_FEEDER_AT_A_TIME})")
        row = await found.fetchone()
        return row is not None and bool(row[0])

    async def _rest(self, seconds: float) -> None:
        """Until then, or until somebody calls: at once after a while of quiet, but not a round for each call."""
        least = min(seconds, ROUND_SECONDS - (time.monotonic() - self._began_at))
        if least > 0:
            await asyncio.sleep(least)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds - max(least, 0.0)):
                await self._called.wait()
        self._called.clear()

    async def _round(self, connection: Connection, paused_seconds: float) -> float:
        """Looks at every queue where somebody waits for a turn, and now and then at all; how long to pause then."""
        now = self._began_at = time.monotonic()
        if watching := now - self._watched_at >= WATCH_SECONDS:
            self._watched_at = now
        if now - self._heard_of_at > ALIVE_SECONDS:
            self._heard_of_at = now
            await connection.execute("SELECT")
        closed = self._rules.now.closed_queues
        queues = [queue for queue, one in self._feeders.items() if queue not in closed and (watching or one.waiting)]
        if not queues:
            return WATCH_SECONDS
        rung, ran_out, busy = 0, False, False
        for queue, bells in (await self._doorbells.lengths(queues)).items():
            feeder, standing = self._feeders[queue], any(bells.values())
            if not (standing or feeder.waiting):
                continue
            of_these = await feeder.round(connection, bells)
            busy = busy or feeder.waiting
            ran_out = ran_out or (of_these > 0 and not standing)
            rung += of_these
        if not busy:
            return WATCH_SECONDS
        if ran_out:
            return RAMP_SECONDS
        return ROUND_SECONDS if rung >= MUCH else min(2 * max(paused_seconds, ROUND_SECONDS), LONGEST_PAUSE_SECONDS)
