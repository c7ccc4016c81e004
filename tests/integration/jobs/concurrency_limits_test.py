"""Of the jobs under a cap never more are under way than it allows, whatever dies meanwhile."""

from collections.abc import Container
from typing import Final
from uuid import UUID

import redis as redis_package

from producers.submission.submitter import Concurrency, JobOptions
from schemas.jobs import TERMINAL
from tests.probe import LeaveMark, Misbehave, Nothing
from tests.system import System
from tests.waiting import wait_until

QUICK: Final = {"HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "2", "SWEEP_SECONDS": "0.2"}


def capped(limit: int, key: str = "one customer") -> JobOptions:
    return JobOptions(concurrency=Concurrency(key, limit))


def test_a_cap_holds_while_workers_are_killed(system: System) -> None:
    system.dispatcher(**QUICK)
    workers = {worker.pid: worker for worker in (system.worker("ai", **QUICK) for _ in range(4))}
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(50)], terms=capped(3))
    for ended in (5, 15, 25):
        wait_until(lambda: sum(system.states()[state] for state in TERMINAL) >= ended, "more have ended")  # noqa: B023
        workers.pop(wait_until(lambda: _busy_pid(system, workers), "a worker is at work")).kill()

    states = system.await_all_finished(50)

    assert system.most_at_once() == 3
    assert states["dead"] <= 3, "what was running in two killed workers is set aside; all else succeeds"
    assert states["succeeded"] == 50 - states["dead"]


def test_capped_jobs_do_not_wait_for_the_sweep(system: System) -> None:
    system.dispatcher(SWEEP_SECONDS="30")
    system.worker()
    system.submit(*[Nothing() for _ in range(60)], terms=capped(2))

    system.await_all_finished(60)

    assert system.most_at_once() <= 2


def test_what_a_lost_redis_did_not_tell_the_sweep_finds(system: System, redis_url: str) -> None:
    first, second = system.submit(Nothing(), Nothing(), terms=capped(1))
    with redis_package.Redis.from_url(redis_url) as client:
        client.flushall()

    system.dispatcher(SWEEP_SECONDS="0.2")
    system.worker()

    system.await_state(first, "succeeded")
    system.await_state(second, "succeeded")
    assert system.timeline(second) == ["job.queued", "job.capped", "job.admitted", "job.started", "job.succeeded"]


def test_one_keys_jobs_hold_up_no_other_key_and_no_other_tenant(system: System) -> None:
    system.dispatcher(SWEEP_SECONDS="0.2")
    system.worker()
    (slow,) = system.submit(LeaveMark(seconds=60), terms=capped(1))
    (behind,) = system.submit(Nothing(), terms=capped(1))
    system.await_state(slow, "running")

    (other_key,) = system.submit(Nothing(), terms=capped(1, "another customer"))
    (other_tenant,) = system.submit(Nothing(), terms=capped(1), tenant_id=system.tenant())
    (uncapped,) = system.submit(Nothing())

    for job_id in (other_key, other_tenant, uncapped):
        system.await_state(job_id, "succeeded")
    assert _parked(system, behind) == "limit"


def test_the_most_urgent_is_let_in_first(system: System) -> None:
    slow, usual, urgent = (
        system.submit(LeaveMark(seconds=0.5), terms=JobOptions(priority=priority, concurrency=Concurrency("k", 1)))[0]
        for priority in (5, 5, 9)
    )
    system.dispatcher(SWEEP_SECONDS="0.2")
    system.worker()
    system.await_all_finished(3)

    started = system.read("SELECT id FROM jobs ORDER BY started_at")
    assert [job_id for (job_id,) in started] == [urgent, slow, usual]


def test_a_job_that_comes_due_later_is_under_its_cap_too(system: System) -> None:
    (slow,) = system.submit(LeaveMark(seconds=60), terms=capped(1))
    system.dispatcher(SWEEP_SECONDS="0.2")
    system.worker()
    system.await_state(slow, "running")
    tomorrow = system.read("SELECT now() + interval '1 day'")[0][0]
    (later,) = system.submit(Nothing(), terms=JobOptions(run_at=tomorrow, concurrency=Concurrency("one customer", 1)))
    assert system.state(later) == "scheduled"

    system.read("UPDATE jobs SET run_at = now(), wake_at = now() WHERE id = %s RETURNING id", later)

    system.await_state(later, "queued")
    assert _parked(system, later) == "limit"
    assert system.timeline(later) == ["job.scheduled", "job.queued", "job.capped"]


def test_a_retrying_job_keeps_its_place_under_the_cap(system: System) -> None:
    system.dispatcher(SWEEP_SECONDS="0.2")
    system.worker()
    (again,) = system.submit(Misbehave(how="ask for patience", until_attempt=2), terms=capped(1))
    system.await_state(again, "retrying")
    (behind,) = system.submit(Nothing(), terms=capped(1))

    system.await_state(again, "succeeded")
    system.await_state(behind, "succeeded")

    assert system.read(
        "SELECT a.finished_at <= b.started_at FROM jobs a, jobs b WHERE a.id = %s AND b.id = %s", again, behind
    ) == [(True,)]


def test_jobs_without_a_cap_are_in_none_of_its_indexes(system: System) -> None:
    system.dispatcher()
    system.worker()
    system.submit(*[Nothing() for _ in range(500)])
    system.await_all_finished(500)

    sizes = system.read(
        "SELECT pg_relation_size('jobs_parked'), pg_relation_size('jobs_in_flight'), count(*) FROM jobs WHERE parked IS NULL"
    )
    assert sizes == [(8192, 8192, 500)], "one page, the one that every index begins with"


def _parked(system: System, job_id: UUID) -> str | None:
    parked: str | None = system.read("SELECT parked FROM jobs WHERE id = %s", job_id)[0][0]
    return parked


def _busy_pid(system: System, pids: Container[int]) -> int:
    rows = system.read("SELECT w.pid FROM jobs j JOIN workers w ON w.id = j.lease_worker WHERE j.state = 'running'")
    return next((pid for (pid,) in rows if pid in pids), 0)
