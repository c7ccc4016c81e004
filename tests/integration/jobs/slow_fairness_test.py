"""Behind whatever backlog of slow jobs, another tenant's job begins within a second, or twice what such a job takes."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

import pytest
import redis

from infrastructure.celery.keys import lists_of
from producers.submission.submitter import JobOptions
from schemas.commands import Command
from tests.probe import LeaveMark, Misbehave, Nothing
from tests.system import System
from tests.waiting import wait_until

SLOTS = 4
"""Of each worker."""
BACKLOG = 3_000
PICKUP_SECONDS = 5.0
"""What a busy machine takes to find a bell, claim and begin, beside the wait that is bounded. In line it would be minutes."""

FROZEN_SECONDS = 25.0
"""A session is ended after ten seconds of silence, and another dispatcher asks once a second."""


def slow(count: int) -> list[Command]:
    dice = random.Random(4_711)
    return [LeaveMark(seconds=dice.uniform(0.2, 2.0)) for _ in range(count)]


def in_batches(system: System) -> None:
    for _ in range(6):
        system.submit(*slow(BACKLOG // 6))


def urgent(system: System) -> None:
    system.submit(*slow(BACKLOG), terms=JobOptions(priority=9))


def scheduled(system: System) -> None:
    system.submit(*slow(BACKLOG), terms=JobOptions(run_at=datetime.now(UTC) + timedelta(seconds=1)))


def failing(system: System) -> None:
    system.submit(*[Misbehave(how="ask for patience", seconds=0.5) for _ in range(BACKLOG)])


def of_many_tenants(system: System) -> None:
    for _ in range(100):
        system.submit(*slow(20), tenant_id=system.tenant())


def after_quick_ones(system: System) -> None:
    system.submit(*[Nothing() for _ in range(4_000)], *slow(BACKLOG))
    wait_until(lambda: system.states()["succeeded"] >= 4_000, "the quick ones are done")


@pytest.mark.parametrize(
    "backlog", [in_batches, urgent, scheduled, failing, of_many_tenants, after_quick_ones], ids=lambda one: one.__name__
)
def test_a_job_begins_soon_behind_slow_jobs(system: System, backlog: Callable[[System], None]) -> None:
    system.dispatcher()
    for _ in range(2):
        system.worker(WORKER_CONCURRENCY=str(SLOTS))
    backlog(system)
    wait_until(lambda: system.states()["running"] >= 2 * SLOTS, "every slot is taken")

    waited = [
        _waited_seconds(system, tenant_id)
        for tenant_id in (*[system.tenant()] * 3, *[system.tenant() for _ in range(3)])
    ]

    print(f"waited {', '.join(f'{seconds:.2f}' for seconds in waited)} s")
    assert max(waited) <= _bound_seconds(system)


def test_a_job_begins_soon_though_workers_die(system: System) -> None:
    system.dispatcher()
    doomed = [system.worker(WORKER_CONCURRENCY=str(SLOTS)) for _ in range(2)]
    system.worker(WORKER_CONCURRENCY=str(SLOTS))
    in_batches(system)
    wait_until(lambda: system.states()["running"] >= 3 * SLOTS, "every slot is taken")

    waited = []
    for worker in doomed:
        worker.kill()
        waited += [_waited_seconds(system, system.tenant()) for _ in range(3)]

    print(f"waited {', '.join(f'{seconds:.2f}' for seconds in waited)} s")
    assert max(waited) <= _bound_seconds(system)


def test_a_job_begins_though_the_dispatcher_that_gives_turns_freezes(system: System) -> None:
    feeding = system.dispatcher()
    system.worker(WORKER_CONCURRENCY=str(SLOTS))
    in_batches(system)
    wait_until(lambda: system.states()["running"] >= SLOTS, "every slot is taken")
    system.freeze(feeding)
    system.dispatcher()

    assert _waited_seconds(system, system.tenant()) <= FROZEN_SECONDS
    assert max(_waited_seconds(system, system.tenant()) for _ in range(3)) <= _bound_seconds(system)


def test_tenants_share_slow_work_by_weight(system: System) -> None:
    heavy, light = system.tenant(), system.tenant()
    system.limit(heavy, weight=3)
    system.dispatcher()
    for tenant_id in (light, heavy):
        system.submit(
            *[LeaveMark(seconds=0.2) for _ in range(600)],
            tenant_id=tenant_id,
            terms=JobOptions(priority=9 if tenant_id == light else 5),
        )
    for _ in range(2):
        system.worker(WORKER_CONCURRENCY=str(SLOTS))
    wait_until(lambda: system.states()["succeeded"] >= 300, "a good part of both is done")

    rows = system.read(
        "SELECT tenant_id, count(*) FROM (SELECT tenant_id FROM jobs WHERE started_at IS NOT NULL "
        "ORDER BY started_at OFFSET 60 LIMIT 240) s GROUP BY tenant_id"
    )
    started = dict(rows)
    print(f"of 240 starts {started[heavy]} were the heavy tenant's")
    assert 2.2 < started[heavy] / started[light] < 4.0, "whatever their priorities"


def test_what_is_rung_is_begun_soon(system: System, redis_url: str) -> None:
    system.environment |= {"RING_ALL_AGAIN_SECONDS": "1", "RING_AGAIN_SECONDS": "1"}
    system.dispatcher()
    system.worker(WORKER_CONCURRENCY=str(SLOTS))
    in_batches(system)
    wait_until(lambda: system.states()["running"] >= SLOTS, "every slot is taken")
    wait_until(lambda: system.states()["succeeded"] >= 20, "some are done")

    with redis.Redis.from_url(redis_url) as client:
        standing = sum(int(client.llen(name)) for name in lists_of("ai"))
    assert standing <= 4 * SLOTS, "however often the oldest are looked for"


def _waited_seconds(system: System, tenant_id: UUID) -> float:
    (job_id,) = system.submit(LeaveMark(), tenant_id=tenant_id)
    system.await_state(job_id, "running", "succeeded")
    rows = system.read("SELECT extract(epoch FROM started_at - created_at)::float8 FROM jobs WHERE id = %s", job_id)
    return float(rows[0][0])


def _bound_seconds(system: System) -> float:
    lasted: Iterable[tuple[float]] = system.read(
        "SELECT extract(epoch FROM e.at - s.at)::float8 FROM job_events s JOIN job_events e"
        " ON e.job_id = s.job_id AND e.seq = s.seq + 1 WHERE s.type = 'job.started' AND e.at - s.at > interval '0.1 s'"
    )
    return max(1.0, 2 * median(seconds for (seconds,) in lasted)) + PICKUP_SECONDS
