"""The dispatcher process: sweeps, feeds and removes old jobs until a signal ends it. Any number of copies may run."""

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial

import uvloop

from infrastructure import settings as settings_module
from infrastructure.ports import Unavailable
from infrastructure.postgres.address import Unfit
from infrastructure.postgres.fitness import refuse_unfit
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.redis import client as redis_client
from infrastructure.redis.probe import probe
from infrastructure.settings import Settings, SettingsInvalid
from infrastructure.wiring import object_store
from monitoring.health import server
from monitoring.health.checks import Health
from monitoring.health.event_loop import LoopBeat
from monitoring.logs.logging import configure
from producers.dispatcher.controls import Controls
from producers.dispatcher.fair_scheduler import FEEDER_SESSION, FairScheduler
from producers.dispatcher.retention import RetentionRunner
from producers.dispatcher.sweeper import Sweeper
from producers.dispatcher.webhook_feeder import WebhookFeeder

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Sweeps until SIGTERM or SIGINT."""
    stop, wake = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _set, stop, wake)
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
        for part in (fair_scheduler, sweeper.concurrency_limits, controls):
            for loop in (part.listen_for_ever(), part.serve_for_ever()):
                resources.callback(asyncio.create_task(loop).cancel)
        feeder = WebhookFeeder(redis, feeder_session, ring_again_seconds=settings.ring_again_seconds)
        retention = RetentionRunner(settings, retention_session, object_store(settings))
        for loop in (feeder.feed_for_ever(), retention.tidy_for_ever()):
            resources.callback(asyncio.create_task(loop).cancel)
        beat = LoopBeat(silent_after_seconds=settings.lease_seconds)
        postgres = await resources.enter_async_context(PostgresProbe(settings.database))
        health = Health({"postgres": postgres, "redis": partial(probe, redis)})
        resources.callback(asyncio.create_task(health.watch_for_ever()).cancel)
        resources.enter_context(
            server.serve(settings.metrics_port, healthy=beat.beating, ready=health.last, host=settings.metrics_host)
        )
        await controls.refresh()
        logger.info("ready: sweeping every %g s", settings.sweep_seconds)
        while not stop.is_set():
            await _sweep(sweeper)
            beat.beat()
            await _wait(wake, settings.sweep_seconds)


def _set(*events: asyncio.Event) -> None:
    for event in events:
        event.set()


async def _sweep(sweeper: Sweeper) -> None:
    try:
        await sweeper.sweep()
    except Unavailable as error:
        sweeper.missed_a_sweep = True
        logger.warning("sweep failed: %s; trying again", str(error))
    except Exception:  # The loop's edge: one failed sweep must not stop the loop.
        logger.exception("sweep failed; trying again")


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wake.wait()
    wake.clear()


def main() -> None:
    try:
        settings = settings_module.load()
        refuse_unfit(settings.database)
    except (SettingsInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="dispatcher")
    uvloop.run(run(settings))
