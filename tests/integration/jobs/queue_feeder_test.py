"""The feeder rings for every job of a backlog, whatever workers do between its rounds."""

import asyncio
import time
from base64 import b64decode
from uuid import UUID

import orjson

from infrastructure.celery.doorbell import Doorbells
from infrastructure.celery.keys import STEPS_IN_TURN, lists_of, service_of, step_of
from infrastructure.celery.message import read
from infrastructure.celery.pace import Service, in_words
from infrastructure.postgres.session import BUS_SESSION, Connection, Role, connect
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import Redis
from producers.dispatcher.queue_feeder import QueueFeeder
from producers.submission.submitter import NORMAL_PRIORITY
from tests.probe import Nothing
from tests.system import System

QUEUE = "ai"
BACKLOG = 4_500
MAX_ROUNDS = 200


def test_jobs_claimed_between_two_rounds_hide_none_that_wait(system: System) -> None:
    jobs = set(system.submit(*[Nothing() for _ in range(BACKLOG)]))

    rung = asyncio.run(_rung_for(system))

    assert rung == jobs


async def _rung_for(system: System) -> set[UUID]:
    """All that the feeder rings for, when each job is claimed as soon as its doorbell is there."""
    connection = await connect(system.settings.database, Role.SYSTEM, "test", BUS_SESSION)
    redis = redis_client.connect(system.settings.redis)
    try:
        await redis.delete(*lists_of(QUEUE))
        feeder = QueueFeeder(QUEUE, Doorbells(redis), lambda _: 1, ring_again_seconds=600)
        feeder.mark_pending([(step_of(NORMAL_PRIORITY), system.tenant_id)])
        rung: set[UUID] = set()
        for _ in range(MAX_ROUNDS):
            if not feeder.waiting:
                return rung
            await redis.hset(service_of(QUEUE), "worker", in_words(Service(1_000, 0, time.time())))
            await feeder.run_round(connection, dict.fromkeys(STEPS_IN_TURN, 0))
            taken = await _take(redis)
            await _claim(connection, taken)
            rung |= taken
        raise AssertionError(f"the feeder still waits after {MAX_ROUNDS} rounds")
    finally:
        await connection.close()
        await redis.aclose()


async def _take(redis: Redis) -> set[UUID]:
    """Empties the lists, as workers that are fast enough do."""
    lists = lists_of(QUEUE)
    messages = [orjson.loads(raw) for name in lists for raw in await redis.lrange(name, 0, -1)]
    await redis.delete(*lists)
    doorbells = [read(message["headers"], b64decode(message["body"])) for message in messages]
    return {job_id for doorbell in doorbells for lot in doorbell.lots for job_id in lot.job_ids}


async def _claim(connection: Connection, job_ids: set[UUID]) -> None:
    await connection.execute("UPDATE jobs SET state = 'running', wake_at = NULL WHERE id = ANY(%s)", (list(job_ids),))
