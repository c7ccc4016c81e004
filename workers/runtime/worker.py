"""A worker process: opens one pool's adapters, sessions and consumer, and closes them in order."""

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
"""Two, so that PostgreSQL works on one claim while the jobs of the last are started."""
DRAIN_SLACK_SECONDS = 15.0
EXIT_STALLED = 70
"""The exit code after the watchdog ended this process: EX_SOFTWARE of sysexits.h."""

# A claim lost in a PostgreSQL crash only means that the job is claimed again, so it needn't wait for the disk.
CLAIM_SESSION = {**BUS_SESSION, "synchronous_commit": "off"}


class Worker:
    """The consumer that Celery's pool drives, on the pool's event loop."""

    def __init__(self, settings: Settings, queue: Queue, bind: Bind, liveness: Liveness, window: Window) -> None:
        self._settings = settings
        self._queue = queue
        self._bind = bind
        self._liveness = liveness
        self._window = window
        self._resources = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []
        self._heartbeat: Heartbeat | None = None
        self._health: Health | None = None
        self._service_id = uuid4().hex

    async def start(self) -> None:
        """Opens the adapters, registers the worker, and begins to claim."""
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
        self._notifier = Notifier(self._redis, aside_session)
        controls = Controls(self._redis, aside_session)
        self._consumer = JobConsumer(
            handlers,
            self._heartbeat,
            self._notifier,
            queue=self._queue,
            claim_sessions=claim_sessions,
            settle_session=settle_session,
            aside_session=aside_session,
            objects=object_store(settings),
            concurrency=settings.worker_concurrency,
            processors=settings.cpu_processes,
            window=self._window,
            controls=lambda: controls.now,
            ring_again_seconds=settings.ring_again_seconds,
            grace_seconds=settings.grace_seconds,
        )
        controls.on_change = self._consumer.wake
        await controls.refresh()
        await self._heartbeat.start()
        self._consumer.begin()
        self._loops += [
            asyncio.create_task(self._stop_cancelled_for_ever(), name="cancellations"),
            asyncio.create_task(self._check_leases_for_ever(), name="lease checks"),
            asyncio.create_task(self._publish_service_for_ever(), name="service reports"),
            asyncio.create_task(controls.listen_for_ever(), name="controls channel"),
            asyncio.create_task(controls.serve_for_ever(), name="controls"),
            asyncio.create_task(self._watch(), name="watchdog"),
        ]
        tune_gc()
        logger.info("ready: %s runs %s", self._queue, ", ".join(sorted(handler.kind for handler in handlers)))

    def take(self, doorbell: Doorbell) -> Delivery:
        return self._consumer.take(doorbell)

    def revoke(self, delivery: Delivery) -> None:
        self._consumer.revoke(delivery)

    def resize(self, concurrency: int) -> None:
        self._consumer.resize(concurrency)

    async def drain(self) -> None:
        """Stops claiming, lets runs finish, and closes everything. Returns a few seconds after the grace period at the latest."""
        logger.info("draining: running jobs have %.0f s", self._settings.grace_seconds)
        await self._consumer.drain()
        self._notifier.remove_service(self._queue, self._service_id)
        for loop in self._loops:
            if loop is not asyncio.current_task():
                loop.cancel()
        await self._notifier.close()
        if self._heartbeat is not None:
            await self._heartbeat.stop()
        await self._resources.aclose()
        logger.info("drained")

    def healthy(self) -> bool:
        """Liveness: whether it has started and its event loop responds."""
        return self._heartbeat is not None and self._heartbeat.loop_lag_seconds < self._settings.lease_seconds

    def ready(self) -> Ready:
        """Readiness: whether it can work, and which part is degraded or down."""
        return NOT_READY if self._health is None else self._health.last()

    async def _watch_health(self) -> Coroutine[Any, Any, None]:
        postgres = await self._resources.enter_async_context(PostgresProbe(self._settings.database))
        self._health = Health(
            {"postgres": postgres, "redis": partial(probe, self._redis), "bells": self._receives_doorbells}
        )
        return self._health.watch_for_ever()

    async def _receives_doorbells(self) -> Condition:
        refusal = self._liveness.refusal
        return Condition(PartState.DEGRADED, refusal) if refusal else Condition()

    async def _watch(self) -> None:
        seconds = self._settings.watchdog_seconds
        await Watchdog(self._liveness, self._redis, patience_seconds=seconds).until_stalled()
        logger.critical(
            "no doorbell arrived for %.0f s though Redis answers: ending, so that a new process takes over", seconds
        )
        with suppress(Exception):  # The process must end, whatever the drain raises.
            async with asyncio.timeout(self._settings.grace_seconds + DRAIN_SLACK_SECONDS):
                await self.drain()
        # Not by a signal: Celery's thread, which would handle it, is what stalled.
        logging.shutdown()
        os._exit(EXIT_STALLED)

    async def _session(self, name: str, options: dict[str, str]) -> PostgresSession:
        session = PostgresSession(self._settings.database, Role.SYSTEM, f"{self._queue} {name}", options)
        return await self._resources.enter_async_context(session)

    async def _stop_cancelled_for_ever(self) -> None:
        async for received in listen(self._redis, Channel.STOP):
            if received is not None:
                self._consumer.stop(ids_in(received[1]), Stop.CANCELLED)

    async def _publish_service_for_ever(self) -> None:
        """Publishes the throughput and free slots, at once when they change and every second otherwise; feeders size the
        doorbell window by it."""
        published, published_at = None, 0.0
        while True:
            service, now = self._consumer.service, time.monotonic()
            if service != published or now - published_at >= SERVICE_SECONDS:
                published, published_at = service, now
                self._notifier.publish_service(self._queue, self._service_id, service)
            await asyncio.sleep(SERVICE_CHANGE_SECONDS)

    async def _check_leases_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            await self._consumer.check_leases()
