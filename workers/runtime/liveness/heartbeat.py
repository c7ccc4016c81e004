"""Sends this worker's heartbeat from a thread, which a busy event loop can't starve, but only while the loop responds."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from infrastructure.concurrency.loops import Loop, ThreadLoop
from infrastructure.concurrency.supervisor import Supervised, Supervisor
from infrastructure.ports import Unavailable
from infrastructure.postgres.workers import Heart
from monitoring.health.loops import EVENT_LOOP
from monitoring.logs.log_throttle import LogThrottle
from monitoring.metrics import bus as metrics
from workers.runtime.settling.retry_until_available import OUTAGE_SECONDS

LOG_AGAIN_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Heartbeat:
    """Holds the lease of one registered worker. When it was declared dead, its runs are dropped and a new worker registers."""

    def __init__(
        self,
        heart: Heart,
        queue: str,
        *,
        heartbeat_seconds: float,
        lease_seconds: float,
        on_death: Callable[[], None],
        job_of: Callable[[asyncio.Task[Any]], UUID | None],
    ) -> None:
        self._heart = heart
        self._queue = queue
        self._heartbeat_seconds = heartbeat_seconds
        self._loop_beat_seconds = min(1.0, heartbeat_seconds / 2)
        self._lease_seconds = lease_seconds
        self._on_death = on_death
        self._job_of = job_of
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_beat_at = time.monotonic()
        self._refusals = LogThrottle(LOG_AGAIN_SECONDS)
        self._beating: Supervised | None = None
        self.worker_id: UUID = uuid7()

    async def start(self, supervisor: Supervisor) -> None:
        """Registers the worker, then beats. Waits as long as PostgreSQL refuses, since no claim succeeds without it."""
        self._loop = asyncio.get_running_loop()
        supervisor.start(Loop(EVENT_LOOP, self._loop_beat_seconds, self._beat_loop))
        await self._register_in_time()
        self._beating = supervisor.start_thread(ThreadLoop("heartbeat", self._heartbeat_seconds, self.beat))

    @property
    def loop_lag_seconds(self) -> float:
        """Seconds since the event loop last ran its beat; about a second when healthy."""
        return time.monotonic() - self._loop_beat_at

    async def stop(self) -> None:
        """Releases the lease, so that nobody waits for it to expire. If PostgreSQL is away it expires by itself."""
        if self._beating is not None:
            await self._beating.stop(within_seconds=1.0)
        await asyncio.to_thread(self._leave)

    async def _register_in_time(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._register)
                return
            except Unavailable as error:
                if self._refusals.times(str(error)):
                    # As str: the message is ours, and the log leaves an exception's out.
                    logger.warning("it can't begin yet: %s", str(error))
                await asyncio.sleep(OUTAGE_SECONDS)

    async def _beat_loop(self) -> None:
        metrics.loop_lagged(max(0.0, self.loop_lag_seconds - self._loop_beat_seconds))
        self._loop_beat_at = time.monotonic()

    def beat(self) -> None:
        """Sends one heartbeat, or reports the run that blocks the event loop. Raises Unavailable."""
        if self.loop_lag_seconds > max(self._heartbeat_seconds, 1.0):
            self._stall()
        else:
            self._beat()

    def _beat(self) -> None:
        # However late the heartbeat is, the jobs are ours until somebody declared this worker dead.
        if self._heart.beat(self.worker_id):
            return
        logger.error("this worker was declared dead: dropping its runs")
        self._register()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._on_death)

    def _stall(self) -> None:
        # The process is alive, so only the run that blocks it is charged with a crash.
        task = asyncio.current_task(self._loop)
        job_id = None if task is None else self._job_of(task)
        lag_seconds, by = self.loop_lag_seconds, "something" if job_id is None else f"job {job_id}"
        logger.error("the event loop hasn't turned for %.1f s, blocked by %s: no heartbeat was sent", lag_seconds, by)
        self._heart.stall(self.worker_id, job_id)

    def _register(self) -> None:
        worker_id = uuid7()
        self._heart.register(worker_id, self._queue, socket.gethostname(), os.getpid())
        self.worker_id = worker_id

    def _leave(self) -> None:
        try:
            self._heart.leave(self.worker_id)
        except Unavailable:
            logger.warning("the lease wasn't released; it expires in %.0f s", self._lease_seconds)
        self._heart.close()
