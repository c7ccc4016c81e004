"""A worker process: opens one pool's adapters, sessions and consumer, and closes them in order."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

from uuid_utils import uuid4

from infrastructure.celery.liveness import Liveness
from infrastructure.celery.message import Doorbell
from infrastructure.celery.window import Window
from infrastructure.concurrency import watched
from infrastructure.concurrency.gc_tuning import tune_gc
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import EXIT_LOOP_FAILED, Supervisor
from infrastructure.ports import Unavailable
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.workers import Heart
from infrastructure.redis import client as redis_client
from infrastructure.redis.probe import probe
from infrastructure.redis.pubsub import Channel, Subscription, ids_in
from infrastructure.settings import Settings
from infrastructure.wiring import keyring, object_store
from monitoring.health.checks import NOT_READY, WATCH_SECONDS, Health
from monitoring.health.loops import LoopReport, faults_of
from producers.dispatcher.controls import Controls
from schemas.health import Condition, PartState, Ready
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Service
from workers.runtime.consumer import JobConsumer
from workers.runtime.handler import Handler
from workers.runtime.liveness.heartbeat import Heartbeat
from workers.runtime.liveness.watchdog import LOOK_SECONDS, Watchdog
from workers.runtime.pools import Bind
from workers.runtime.running.live_text import LiveText
from workers.runtime.running.notifier import Notifier
from workers.runtime.running.running_jobs import RunningJobs
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

    def __init__(self, settings: Settings, queue: str, bind: Bind, liveness: Liveness, window: Window) -> None:
        self._settings = settings
        self._queue = queue
        self._bind = bind
        self._liveness = liveness
        self._window = window
        self._resources = AsyncExitStack()
        self._supervisor = Supervisor(LoopReport, on_fatal=self._on_fatal)
        self._heartbeat: Heartbeat | None = None
        self._health: Health | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the adapters, registers the worker, and begins to claim."""
        settings, supervisor = self._settings, self._supervisor
        self._redis = redis_client.connect(settings.redis)
        self._resources.push_async_callback(self._redis.aclose)
        self._health = await self._open_health()
        supervisor.start(Loop("health", WATCH_SECONDS, self._health.watch))
        bound = await self._resources.enter_async_context(self._bind(settings))
        handlers = [one for one in bound if isinstance(one, Handler)]
        supervisor.start(*(one for one in bound if isinstance(one, Loop)))
        claim_sessions = [await self._session(f"claim {number}", CLAIM_SESSION) for number in range(CLAIM_SESSIONS)]
        settle_session = await self._session("settle", BUS_SESSION)
        aside_session = await self._session("aside", BUS_SESSION)
        running = RunningJobs()
        self._heartbeat = Heartbeat(
            Heart(settings.database),
            self._queue,
            heartbeat_seconds=settings.heartbeat_seconds,
            lease_seconds=settings.lease_seconds,
            on_death=lambda: running.stop_all(Stop.LEASE_LOST),
            job_of=running.job_of,
        )
        self._notifier = Notifier(self._redis, aside_session)
        self._live_text = LiveText(self._redis, partial(keyring, settings))
        controls = Controls(self._redis, aside_session)
        self._consumer = JobConsumer(
            handlers,
            self._heartbeat,
            self._notifier,
            self._live_text,
            queue=self._queue,
            claim_sessions=claim_sessions,
            settle_session=settle_session,
            aside_session=aside_session,
            objects=object_store(settings),
            concurrency=settings.worker_concurrency,
            processors=settings.cpu_processes,
            window=self._window,
            controls=lambda: controls.now,
            running=running,
            ring_again_seconds=settings.ring_again_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            grace_seconds=settings.grace_seconds,
        )
        controls.on_change = self._consumer.wake
        with suppress(Unavailable):
            await controls.refresh()
        self._service = ServiceReports(self._notifier, self._queue, lambda: self._consumer.service)
        await self._heartbeat.start(supervisor)
        self._consumer.begin(supervisor)
        supervisor.start(
            *controls.loops,
            Loop("cancellations channel", 0.0, self._cancellations(running).read),
            self._service.loop,
            Loop("watchdog", LOOK_SECONDS, self._watchdog().look),
        )
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
        self._service.remove()
        await self._supervisor.stop()
        await self._live_text.close()
        await self._notifier.close()
        if self._heartbeat is not None:
            await self._heartbeat.stop()
        await self._resources.aclose()
        logger.info("drained")

    def faults(self) -> Sequence[str]:
        """Liveness: why it should be restarted; nothing once it has started and its loops go on."""
        if self._heartbeat is None:
            return ("it hasn't started yet",)
        if self._heartbeat.loop_lag_seconds >= self._settings.lease_seconds:
            return ("the event loop is blocked",)
        return faults_of(self._supervisor.stalled(), self.ready())

    def ready(self) -> Ready:
        """Readiness: whether it can work, and which part is degraded or down."""
        return NOT_READY if self._health is None else self._health.last()

    async def _open_health(self) -> Health:
        postgres = await self._resources.enter_async_context(PostgresProbe(self._settings.database))
        return Health({"postgres": postgres, "redis": partial(probe, self._redis), "bells": self._receives_doorbells})

    async def _receives_doorbells(self) -> Condition:
        refusal = self._liveness.refusal
        return Condition(PartState.DEGRADED, refusal) if refusal else Condition()

    async def _session(self, name: str, options: dict[str, str]) -> PostgresSession:
        session = PostgresSession(self._settings.database, Role.SYSTEM, f"{self._queue} {name}", options)
        return await self._resources.enter_async_context(session)

    def _cancellations(self, running: RunningJobs) -> Subscription:
        def stop(received: tuple[Channel, bytes] | None) -> None:
            if received is not None:
                running.stop(ids_in(received[1]), Stop.CANCELLED)

        return Subscription(self._redis, stop, Channel.STOP)

    def _watchdog(self) -> Watchdog:
        seconds = self._settings.watchdog_seconds

        def end() -> None:
            logger.critical(
                "no doorbell arrived for %.0f s though Redis answers: ending, so that a new process takes over", seconds
            )
            self._end(EXIT_STALLED)

        return Watchdog(self._liveness, self._redis, patience_seconds=seconds, on_stalled=end)

    def _on_fatal(self, loop: str) -> None:
        logger.critical("the loop '%s' keeps failing: ending, so that a new process takes over", loop)
        self._end(EXIT_LOOP_FAILED)

    def _end(self, exit_code: int) -> None:
        if self._ending is None:
            self._ending = watched.start(self._drain_and_exit(exit_code), "ends the process")

    async def _drain_and_exit(self, exit_code: int) -> None:
        with suppress(Exception):  # The process must end, whatever the drain raises.
            async with asyncio.timeout(self._settings.grace_seconds + DRAIN_SLACK_SECONDS):
                await self.drain()
        # Not by a signal: Celery's thread, which would handle it, may be what stalled.
        logging.shutdown()
        os._exit(exit_code)


class ServiceReports:
    """Publishes the throughput and free slots, at once when they change and every second otherwise; feeders size the
    doorbell window by it."""

    def __init__(self, notifier: Notifier, queue: str, service: Callable[[], Service]) -> None:
        self._notifier = notifier
        self._queue = queue
        self._service = service
        self._id = uuid4().hex
        self._published: Service | None = None
        self._published_at = 0.0

    @property
    def loop(self) -> Loop:
        return Loop("service reports", SERVICE_CHANGE_SECONDS, self.publish)

    async def publish(self) -> None:
        service, now = self._service(), time.monotonic()
        if service != self._published or now - self._published_at >= SERVICE_SECONDS:
            self._published, self._published_at = service, now
            self._notifier.publish_service(self._queue, self._id, service)

    def remove(self) -> None:
        """This worker ends."""
        self._notifier.remove_service(self._queue, self._id)
