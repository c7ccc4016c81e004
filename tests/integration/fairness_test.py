"""One tenant's backlog delays no other tenant's job."""

from uuid import uuid4

import redis

from infrastructure.celery.lists import list_of
from infrastructure.local_stack.redis import RedisServer
from producers.submit import Terms
from schemas.commands import Queue
from tests.probe import LeaveMark, Nothing
from tests.system import System
from tests.waiting import wait_until

BACKLOG = 20_000


def test_a_job_behind_another_tenants_backlog_starts_within_a_second(system: System) -> None:
    system.dispatcher()
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(BACKLOG)])
    system.worker(WORKER_CONCURRENCY="64")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    (job_id,) = system.submit(Nothing(), tenant_id=uuid4())

    system.await_state(job_id, "succeeded")
    statement = "SELECT extract(epoch FROM started_at - created_at) FROM jobs WHERE id = %s"
    waited_seconds = float(system.read(statement, job_id)[0][0])
    print(f"waited {waited_seconds:.3f} s behind {system.states()['queued']:,} jobs of another tenant")
    assert waited_seconds < 1.0
    assert system.states()["queued"] > BACKLOG // 2


def test_redis_holds_little_of_a_large_backlog_and_all_of_it_is_done(
    system: System, redis_process: RedisServer
) -> None:
    system.dispatcher()
    system.submit(*[Nothing() for _ in range(6_000)])
    with redis.Redis.from_url(redis_process.url) as client:
        assert client.llen(list_of(Queue.AI, 0)) < 100, "bells of fifty, for two windows at the most"

    system.worker()

    assert system.await_all_finished(6_000) == {"succeeded": 6_000}


def test_urgent_work_passes_the_same_tenants_backlog(system: System) -> None:
    system.dispatcher()
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(3_000)])
    system.worker(WORKER_CONCURRENCY="32")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    (job_id,) = system.submit(Nothing(), terms=Terms(priority=9))

    system.await_state(job_id, "succeeded", within_seconds=2)
