"""A worker process: builds one pool's consumer with all it stands on, and takes it down again in order."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from uuid_utils import uuid4

from infrastructure.celery.liveness import Liveness
from infrastructure.celery.message import Doorbell
from infrastructure.celery.window import Window
from infrastructure.concurrency.gc_tuning import tune_gc
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.workers import Heart
from infrastructure.redis import client as redis_client
from infrastructure.redis.probe import probe
from infrastructure.redis.pubsub import Channel, ids_in, listen
from infrastructure.settings import Settings
from infrastructure.wiring import object_store
from monitoring.health.checks import NOT_READY, Health
from producers.dispatcher.controls import Controls
from schemas.commands import Queue
from schemas.health import Condition, PartState, Ready
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.consumer import JobConsumer
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.liveness.watchdog import Watchdog
from workers.runtime.pools import Bind
from workers.runtime.running.notifier import Notifier
from workers.runtime.settling.outcomes import Stop

logger = logging.getLogger(__name__)

SERVICE_SECONDS, SERVICE_CHANGE_SECONDS = 1.0, 0.25
CLAIM_SESSIONS = 2
"""While PostgreSQL works on one claim, the one before it is being started."""
DRAIN_SLACK_SECONDS = 15.0
EXIT_STALLED = 70
"""The exit code of a worker that ended itself: EX_SOFTWARE of sysexits.h."""

# A claim that PostgreSQL forgets in a crash only means that the job is claimed again: it needn't wait for the disk.
CLAIM_SESSION = {**BUS_SESSION, "synchronous_commit": "off"}


class Worker:
    """What Celery's pool drives. Everything in it lives on the pool's event loop."""

    def __init__(self, settings: Settings, queue: Queue, bind: Bind, pulse: Liveness, window: Window) -> None:
        self._settings = settings
        self._queue = queue
        self._bind = bind
        self._pulse = pulse
        self._window = window
        self._resources = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._heartbeat: Heartbeat | None = None
        self._health: Health | None = None
        self._service_id = uuid4().hex

    async def start(self) -> None:
        """Opens the pool's adapters, registers this incarnation, and begins to claim."""
        settings = self._settings
        self._redis = redis_client.connect(settings.redis)
        self._resources.push_async_callback(self._redis.aclose)
        self._loops = [asyncio.create_task(await self._watch_health(), name="health")]
        handlers = await self._resources.enter_async_context(self._bind(settings))
        claim_sessions = [await self._session(f"claim {number}", CLAIM_SESSION) for number in range(CLAIM_SESSIONS)]
        settle_session = await self._session("settle", BUS_SESSION)
        aside_session = await self._session("aside", BUS_SESSION)
        self._heartbeat = Heartbeat(
            Heart(settings.database),
            self._queue,
            heartbeat_seconds=settings.heartbeat_seconds,
            lease_seconds=settings.lease_seconds,
            on_death=lambda: self._consumer.stop_all(Stop.LEASE_LOST),
            job_of=lambda task: self._consumer.job_of(task),  # noqa: PLW0108  # it is made below
        )
        self._messenger = Notifier(self._redis, aside_session)
        rules = Controls(self._redis, aside_session)
        self._consumer = JobConsumer(
            handlers,
            self._heartbeat,
            self._messenger,
            queue=self._queue,
            claim_sessions=claim_sessions,
            settle_session=settle_session,
            aside_session=aside_session,
            objects=object_store(settings),
            concurrency=settings.worker_concurrency,
            processors=settings.cpu_processes,
            window=self._window,
            rules=lambda: rules.now,
            ring_again_seconds=settings.ring_again_seconds,
            grace_seconds=settings.grace_seconds,
        )
        rules.on_change = self._consumer.look_again
        await rules.refresh()
        await self._heartbeat.start()
        self._consumer.begin()
        self._loops += [
            asyncio.create_task(self._obey_for_ever(), name="cancellations"),
            asyncio.create_task(self._check_for_ever(), name="lease checks"),
            asyncio.create_task(self._tell_service_for_ever(), name="news of service"),
            asyncio.create_task(rules.listen_for_ever(), name="news of rules"),
            asyncio.create_task(rules.serve_for_ever(), name="rules"),
            asyncio.create_task(self._watch(), name="watchdog"),
        ]
        tune_gc()
        logger.info("ready: %s runs %s", self._queue, ", ".join(sorted(handler.kind for handler in handlers)))

    def take(self, doorbell: Doorbell) -> Delivery:
        return self._consumer.take(doorbell)

    def revoke(self, bell: Delivery) -> None:
        self._consumer.revoke(bell)

    def resize(self, concurrency: int) -> None:
        self._consumer.resize(concurrency)

    async def drain(self) -> None:
        """Ends within the grace period and a few seconds, whatever runs here."""
        logger.info("draining: what runs has %.0f s", self._settings.grace_seconds)
        await self._consumer.drain()
        self._messenger.end_service(self._queue, self._service_id)
        for loop in self._loops:
            if loop is not asyncio.current_task():
                loop.cancel()
        await self._messenger.close()
        if self._heartbeat is not None:
            await self._heartbeat.stop()
        await self._resources.aclose()
        logger.info("drained")

    def healthy(self) -> bool:
        """Whether it has started and its event loop turns."""
        return self._heartbeat is not None and self._heartbeat.loop_lag_seconds < self._settings.lease_seconds

    def ready(self) -> Ready:
        """Whether it can do its work, and what keeps it from that."""
        return NOT_READY if self._health is None else self._health.last()

    async def _watch_health(self) -> Coroutine[Any, Any, None]:
        postgres = await self._resources.enter_async_context(PostgresProbe(self._settings.database))
        self._health = Health({"postgres": postgres, "redis": partial(probe, self._redis), "bells": self._hears_bells})
        return self._health.watch_for_ever()

    async def _hears_bells(self) -> Condition:
        refusal = self._pulse.refusal
        return Condition(PartState.DEGRADED, refusal) if refusal else Condition()

    async def _watch(self) -> None:
        seconds = self._settings.watchdog_seconds
        await Watchdog(self._pulse, self._redis, patience_seconds=seconds).until_stalled()
        logger.critical("no bell was heard for %.0f s though Redis answers: ending, for another to take over", seconds)
        with suppress(Exception):  # Whatever else is wrong with this process, it ends.
            async with asyncio.timeout(self._settings.grace_seconds + DRAIN_SLACK_SECONDS):
                await self.drain()
        # Not by a signal: Celery's thread, which would obey it, is what doesn't answer.
        logging.shutdown()
        os._exit(EXIT_STALLED)

    async def _session(self, name: str, options: dict[str, str]) -> PostgresSession:
        session = PostgresSession(self._settings.database, Role.SYSTEM, f"{self._queue} {name}", options)
        return await self._resources.enter_async_context(session)

    async def _obey_for_ever(self) -> None:
        async for heard in listen(self._redis, Channel.STOP):
            if heard is not None:
                self._consumer.stop(ids_in(heard[1]), Stop.CANCELLED)

    async def _tell_service_for_ever(self) -> None:
        """At once while it changes, else every second: who rings for the queue measures by it how much to ring."""
        told, told_at = None, 0.0
        while True:
            service, now = self._consumer.service, time.monotonic()
            if service != told or now - told_at >= SERVICE_SECONDS:
                told, told_at = service, now
                self._messenger.tell_service(self._queue, self._service_id, service)
            await asyncio.sleep(SERVICE_CHANGE_SECONDS)

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            await self._consumer.check_leases()
