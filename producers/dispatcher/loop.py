"""`python -m producers.dispatcher`: sweeps, so that every accepted job ends. Any number of copies may run."""

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
from infrastructure.postgres.session import LANE_SESSION, Line, Role
from infrastructure.redis import client as redis_client
from infrastructure.redis.probe import probe
from infrastructure.settings import Settings, SettingsInvalid
from infrastructure.wiring import object_store
from monitoring.health import server
from monitoring.health.checks import Health
from monitoring.health.event_loop import LoopBeat
from monitoring.logs.logging import configure
from producers.dispatcher.controls import RuleBook
from producers.dispatcher.fair_scheduler import FEEDER_SESSION, Turns
from producers.dispatcher.retention import Housekeeping
from producers.dispatcher.sweeper import Sweeper
from producers.dispatcher.webhook_feeder import Feeder

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Sweeps until SIGTERM or SIGINT."""
    stop, called = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _set, stop, called)
    async with AsyncExitStack() as resources:
        redis = redis_client.connect(settings.redis)
        resources.push_async_callback(redis.aclose)
        line, turns_line, aside_line, feeder_line, tidy_line = [
            await resources.enter_async_context(Line(settings.database, Role.SYSTEM, name, session))
            for name, session in (
                ("dispatcher", LANE_SESSION),
                ("turns", LANE_SESSION | FEEDER_SESSION),
                ("admission", LANE_SESSION),
                ("webhook feeder", LANE_SESSION),
                ("tidy", LANE_SESSION),
            )
        ]
        rules = RuleBook(redis, aside_line)
        rules.on_change = called.set
        turns_given = Turns(redis, turns_line, rules, ring_again_seconds=settings.ring_again_seconds)
        sweeper = Sweeper(settings, line, aside_line, redis, turns_given, rules)
        for part in (turns_given, sweeper.admission, rules):
            for loop in (part.listen_for_ever(), part.serve_for_ever()):
                resources.callback(asyncio.create_task(loop).cancel)
        feeder = Feeder(redis, feeder_line, ring_again_seconds=settings.ring_again_seconds)
        housekeeping = Housekeeping(settings, tidy_line, object_store(settings))
        for loop in (feeder.feed_for_ever(), housekeeping.tidy_for_ever()):
            resources.callback(asyncio.create_task(loop).cancel)
        beat = LoopBeat(silent_after_seconds=settings.lease_seconds)
        postgres = await resources.enter_async_context(PostgresProbe(settings.database))
        health = Health({"postgres": postgres, "redis": partial(probe, redis)})
        resources.callback(asyncio.create_task(health.watch_for_ever()).cancel)
        resources.enter_context(
            server.serve(settings.metrics_port, healthy=beat.beating, ready=health.last, host=settings.metrics_host)
        )
        await rules.refresh()
        logger.info("ready: sweeping every %g s", settings.sweep_seconds)
        while not stop.is_set():
            await _sweep(sweeper)
            beat.beat()
            await _wait(called, settings.sweep_seconds)


def _set(*events: asyncio.Event) -> None:
    for event in events:
        event.set()


async def _sweep(sweeper: Sweeper) -> None:
    try:
        await sweeper.sweep()
    except Unavailable as error:
        sweeper.missed_a_sweep = True
        logger.warning("no sweep: %s", str(error))
    except Exception:  # The loop's edge: one sweep that fails must not be the last.
        logger.exception("a sweep failed; the next one tries again")


async def _wait(called: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await called.wait()
    called.clear()


def main() -> None:
    try:
        settings = settings_module.load()
        refuse_unfit(settings.database)
    except (SettingsInvalid, Unfit) as error:
        sys.exit(str(error))
    configure(settings.log_level, settings.log_format, process="dispatcher")
    uvloop.run(run(settings))
