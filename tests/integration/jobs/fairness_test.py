"""One tenant's backlog delays no other tenant's job."""

from uuid import UUID

import redis

from infrastructure.celery.keys import list_of
from infrastructure.local_stack.servers.redis import RedisServer
from producers.submission.submitter import JobOptions
from tests.probe import LeaveMark, Nothing
from tests.system import System
from tests.waiting import wait_until

BACKLOG = 20_000


def test_a_job_behind_another_tenants_backlog_goes_before_it(system: System) -> None:
    system.dispatcher()
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(BACKLOG)])
    system.worker(WORKER_CONCURRENCY="64")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    (job_id,) = system.submit(Nothing(), tenant_id=system.tenant())

    system.await_state(job_id, "succeeded")
    assert _went_before(system, job_id) < BACKLOG // 20, "those in line already, and what begins while it is rung for"
    assert system.states()["queued"] > BACKLOG // 2


def test_redis_holds_little_of_a_large_backlog_and_all_of_it_is_done(
    system: System, redis_process: RedisServer
) -> None:
    system.dispatcher()
    system.submit(*[Nothing() for _ in range(6_000)])
    with redis.Redis.from_url(redis_process.url) as client:
        assert client.llen(list_of("ai", 0)) < 100, "bells of fifty, for two windows at the most"

    system.worker()

    assert system.await_all_finished(6_000) == {"succeeded": 6_000}


def test_nobody_who_waits_for_a_turn_is_left_to_the_sweep(system: System) -> None:
    system.environment |= {"RING_AGAIN_SECONDS": "600", "RING_ALL_AGAIN_SECONDS": "600"}
    system.dispatcher()
    tenants = [system.tenant() for _ in range(5)]
    for tenant_id in tenants:
        system.submit(*[Nothing() for _ in range(3_000)], tenant_id=tenant_id)

    system.worker()

    assert system.await_all_finished(3_000 * len(tenants)) == {"succeeded": 3_000 * len(tenants)}


def test_urgent_work_passes_the_same_tenants_backlog(system: System) -> None:
    system.dispatcher()
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(3_000)])
    system.worker(WORKER_CONCURRENCY="32")
    wait_until(lambda: system.states()["running"], "the backlog is being worked off")

    (job_id,) = system.submit(Nothing(), terms=JobOptions(priority=9))

    system.await_state(job_id, "succeeded")
    assert _went_before(system, job_id) < 600
    assert system.states()["queued"] > 1_500


def test_a_tenant_of_twice_the_weight_gets_twice_the_share(system: System) -> None:
    heavy, light = system.tenant(), system.tenant()
    system.limit(heavy, weight=2)
    system.dispatcher()
    for tenant_id in (light, heavy):
        system.submit(*[LeaveMark(seconds=0.02) for _ in range(2_000)], tenant_id=tenant_id)
    system.worker(WORKER_CONCURRENCY="16")
    wait_until(lambda: system.states()["succeeded"] >= 2_400, "a good part of both is done")

    rows = system.read(
        "SELECT tenant_id, count(*) FROM (SELECT tenant_id FROM jobs WHERE started_at IS NOT NULL "
        "ORDER BY started_at OFFSET 500 LIMIT 1800) s GROUP BY tenant_id"
    )
    started = dict(rows)
    print(f"of 1,800 starts {started[heavy]} were the heavy tenant's")
    assert 1.6 < started[heavy] / started[light] < 2.5


def _went_before(system: System, job_id: UUID) -> int:
    """How many jobs were started while it waited."""
    waited_seconds, count = system.read(
        "SELECT extract(epoch FROM started_at - created_at)::float8,"
        " (SELECT count(*) FROM jobs other WHERE other.started_at BETWEEN mine.created_at AND mine.started_at)"
        " FROM jobs mine WHERE id = %s",
        job_id,
    )[0]
    print(f"waited {waited_seconds:.3f} s, {count} went before it, {system.states()['queued']:,} went on waiting")
    return int(str(count))
