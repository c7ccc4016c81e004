"""The dispatcher process: sweeps, feeds and removes old jobs until a signal ends it. Any number of copies may run."""

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial

import uvloop

from infrastructure import settings as settings_module
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import EXIT_LOOP_FAILED, Supervisor
from infrastructure.ports import Unavailable
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.redis import client as redis_client
from infrastructure.redis.probe import probe
from infrastructure.settings import Settings, SettingsInvalid
from infrastructure.wiring import object_store
from kinds.declaration import JobInvalid
from kinds.loading import load as load_jobs
from monitoring.health import server
from monitoring.health.checks import WATCH_SECONDS, Health
from monitoring.health.event_loop import BLOCKED_AFTER_SECONDS, PERIOD_SECONDS, LoopLag
from monitoring.health.loops import EVENT_LOOP, LoopReport, faults_of
from monitoring.logs.logging import configure
from producers.dispatcher.controls import Controls
from producers.dispatcher.fair_scheduler import FEEDER_SESSION, FairScheduler
from producers.dispatcher.model_records import ModelRecordKeeper
from producers.dispatcher.retention import RetentionRunner
from producers.dispatcher.sweeper import Sweeper
from producers.dispatcher.webhook_feeder import WebhookFeeder

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Runs the dispatcher's loops until SIGTERM or SIGINT. Raises SystemExit with EXIT_LOOP_FAILED when one keeps failing."""
    stop, wake = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(LoopReport, on_fatal=lambda _: stop.set())
    async with AsyncExitStack() as resources:
        redis = redis_client.connect(settings.redis)
        resources.push_async_callback(redis.aclose)
        sweep_session, scheduler_session, aside_session, feeder_session, retention_session = [
            await resources.enter_async_context(PostgresSession(settings.database, Role.SYSTEM, name, session))
            for name, session in (
                ("dispatcher", BUS_SESSION),
                ("turns", BUS_SESSION | FEEDER_SESSION),
                ("admission", BUS_SESSION),
                ("webhook feeder", BUS_SESSION),
                ("tidy", BUS_SESSION),
            )
        ]
        controls = Controls(redis, aside_session)
        controls.on_change = wake.set
        fair_scheduler = FairScheduler(
            redis, scheduler_session, controls, ring_again_seconds=settings.ring_again_seconds
        )
        sweeper = Sweeper(settings, sweep_session, aside_session, redis, fair_scheduler, controls)
        webhook_feeder = WebhookFeeder(redis, feeder_session, ring_again_seconds=settings.ring_again_seconds)
        retention = RetentionRunner(settings, retention_session, object_store(settings))
        postgres = await resources.enter_async_context(PostgresProbe(settings.database))
        health = Health({"postgres": postgres, "redis": partial(probe, redis)})
        resources.push_async_callback(supervisor.stop)
        supervisor.start(
            Loop(EVENT_LOOP, PERIOD_SECONDS, LoopLag().measure, stalled_after_seconds=BLOCKED_AFTER_SECONDS),
            Loop("health", WATCH_SECONDS, health.watch),
        )
        resources.enter_context(
            server.serve(
                settings.metrics_port,
                faults=lambda: faults_of(supervisor.stalled(), health.last()),
                ready=health.last,
                host=settings.metrics_host,
            )
        )
        with suppress(Unavailable):
            await controls.refresh()
        supervisor.start(
            Loop("sweep", settings.sweep_seconds, sweeper.sweep, wake=wake),
            *controls.loops,
            *fair_scheduler.loops,
            *sweeper.concurrency_limits.loops,
            webhook_feeder.loop,
            retention.loop,
            ModelRecordKeeper(settings, retention_session).loop,
        )
        logger.info("ready: sweeping every %g s", settings.sweep_seconds)
        await stop.wait()
    if supervisor.failed:
        sys.exit(EXIT_LOOP_FAILED)


def main() -> None:
    try:
        settings = settings_module.load()
        load_jobs(settings)
        refuse_unfit(settings.database)
    except (SettingsInvalid, JobInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="dispatcher")
    uvloop.run(run(settings))
