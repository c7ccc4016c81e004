"""What is killed, frozen, wiped or restarted costs seconds, and every accepted job ends exactly once in effect."""

import os
import signal
import time
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.local_stack.servers.redis import RedisServer
from tests.probe import LeaveMark, Misbehave, Nothing
from tests.system import System
from tests.waiting import wait_until

TAKEN_OVER_SECONDS = 20.0
"""The promise: another worker has a lost worker's job within this time."""


@pytest.fixture
def mendable_redis(redis_process: RedisServer) -> Iterator[RedisServer]:
    yield redis_process
    if redis_process.exit_code is not None:
        redis_process.start()


@pytest.mark.alone
def test_a_lost_worker_leaves_its_job_to_the_next_one(system: System) -> None:
    system.dispatcher()
    workers = {worker.pid: worker for worker in (system.worker(), system.worker())}
    (job_id,) = system.submit(LeaveMark(seconds=3))

    workers[wait_until(lambda: _pid_at(system, job_id), "a worker is at it")].kill()
    killed_at = time.monotonic()

    wait_until(
        lambda: system.timeline(job_id).count("job.started") == 2,
        "the next worker has the job",
        within_seconds=TAKEN_OVER_SECONDS,
    )
    assert time.monotonic() - killed_at < TAKEN_OVER_SECONDS
    system.await_state(job_id, "succeeded")
    assert system.marks(job_id) == [2]


def test_a_wiped_redis_loses_no_accepted_job(system: System, mendable_redis: RedisServer) -> None:
    job_ids = system.submit(*[LeaveMark() for _ in range(200)])
    mendable_redis.kill()
    mendable_redis.empty()
    more = system.submit(*[LeaveMark() for _ in range(50)])
    assert set(system.states()) == {"queued"}, "a job is accepted while Redis is down"
    mendable_redis.start()
    system.dispatcher()
    system.worker()

    assert system.await_all_finished(250) == {"succeeded": 250}
    assert all(system.marks(job_id) == [1] for job_id in (*job_ids, *more))


def test_redis_lost_under_running_work_costs_no_effect(system: System, mendable_redis: RedisServer) -> None:
    system.dispatcher()
    system.worker()
    job_ids = system.submit(*[LeaveMark(seconds=0.2) for _ in range(300)])
    wait_until(lambda: system.states()["running"], "work is under way")

    mendable_redis.kill()
    mendable_redis.empty()
    mendable_redis.start()

    assert system.await_all_finished(300) == {"succeeded": 300}
    assert all(system.marks(job_id) == [1] for job_id in job_ids)


def test_a_restarted_postgresql_loses_no_accepted_job(system: System, postgres: PostgresServer) -> None:
    system.dispatcher()
    system.worker()
    job_ids = system.submit(*[LeaveMark(seconds=0.5) for _ in range(100)])
    wait_until(lambda: system.states()["running"], "work is under way")

    system.disconnect()
    postgres.kill()
    postgres.start()
    system.reconnect()

    # A handler's own statement may have failed while the server was away: then its job runs again.
    assert system.await_all_finished(100) == {"succeeded": 100}
    assert all(len(system.timeline(job_id)) >= 4 for job_id in job_ids)


def test_a_worker_frozen_past_its_lease_has_no_effect_when_it_wakes(system: System) -> None:
    system.dispatcher(LEASE_SECONDS="3")
    frozen = system.worker(LEASE_SECONDS="3", HEARTBEAT_SECONDS="1")
    (job_id,) = system.submit(Misbehave(how="hang"))
    system.await_state(job_id, "running")
    system.freeze(frozen)
    system.worker(LEASE_SECONDS="3", HEARTBEAT_SECONDS="1")
    wait_until(lambda: system.timeline(job_id).count("job.started") == 2, "the next worker has the job")
    second = system.read("SELECT lease_worker FROM jobs WHERE id = %s", job_id)

    system.thaw(frozen)
    wait_until(lambda: frozen.said("declared dead"), "the frozen worker learns that it was given up")

    assert system.read("SELECT lease_worker FROM jobs WHERE id = %s", job_id) == second
    (after,) = system.submit(Nothing())
    system.await_state(after, "succeeded")


def test_poison_is_set_aside_and_its_neighbours_are_not(system: System) -> None:
    system.dispatcher(LEASE_SECONDS="2")
    workers = [system.worker(LEASE_SECONDS="2", HEARTBEAT_SECONDS="0.5")]
    poison, *neighbours = system.submit(Misbehave(how="kill the process"), *[LeaveMark(seconds=1) for _ in range(20)])

    def replaced() -> bool:
        if workers[-1].exit_code is not None:
            workers.append(system.worker(LEASE_SECONDS="2", HEARTBEAT_SECONDS="0.5"))
        return system.state(poison) == "dead"

    wait_until(replaced, "the poisonous job is set aside")
    assert system.problem(poison)["type"].endswith("/poison")
    assert len(workers) <= 3
    assert system.await_all_finished(21) == {"dead": 1, "succeeded": 20}
    assert all(len(system.marks(job_id)) == 1 for job_id in neighbours)


def test_a_draining_worker_finishes_what_it_can_and_hands_back_the_rest(system: System) -> None:
    worker = system.worker(GRACE_SECONDS="2")
    short, long = system.submit(LeaveMark(seconds=1), LeaveMark(seconds=8))
    system.await_state(long, "running")

    os.kill(worker.pid, signal.SIGTERM)
    wait_until(lambda: worker.exit_code is not None, "the worker has ended")

    assert worker.exit_code == 0
    assert system.state(short) == "succeeded"
    assert system.timeline(long) == ["job.queued", "job.started", "job.released"]
    assert system.read("SELECT state, attempt FROM jobs WHERE id = %s", long) == [("queued", 0)], "not an attempt"
    system.worker()
    system.await_state(long, "succeeded")


def test_a_rolling_restart_under_load_repeats_nothing(system: System) -> None:
    system.dispatcher()
    old = [system.worker(), system.worker()]
    job_ids = system.submit(*[LeaveMark(seconds=0.05) for _ in range(1_500)])

    for worker in old:
        system.worker()
        worker.stop()

    assert system.await_all_finished(1_500) == {"succeeded": 1_500}
    assert system.read("SELECT count(*), count(DISTINCT job_id) FROM marks") == [(1_500, len(job_ids))]


def test_work_that_blocks_the_loop_loses_its_lease(system: System) -> None:
    system.dispatcher(LEASE_SECONDS="3")
    blocked = system.worker(LEASE_SECONDS="3", HEARTBEAT_SECONDS="1")
    (job_id,) = system.submit(Misbehave(how="block the loop", until_attempt=2))
    system.await_state(job_id, "running")
    system.worker(LEASE_SECONDS="3", HEARTBEAT_SECONDS="1")

    system.await_state(job_id, "succeeded")

    assert blocked.exit_code is None
    assert blocked.said("hasn't turned")


def test_a_job_that_blocks_its_workers_is_set_aside_by_that_name_and_nobody_else_is_charged(system: System) -> None:
    system.dispatcher(LEASE_SECONDS="3")
    impatient = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "1"}
    workers = [system.worker("ai", **impatient)]
    *neighbours, blocking = system.submit(*[LeaveMark(seconds=4) for _ in range(5)], Misbehave(how="block the loop"))
    system.await_state(blocking, "running")
    workers += [system.worker("ai", **impatient) for _ in range(2)]

    system.await_state(blocking, "dead")

    assert all(worker.exit_code is None for worker in workers), "no process died"
    assert system.problem(blocking)["type"].endswith("/blocks-its-worker")
    for job_id in neighbours:
        system.await_state(job_id, "succeeded")
    charged = system.read(
        "SELECT job_id, data->>'reason', (data->>'crashes')::int FROM job_events WHERE type IN ('job.requeued', 'job.dead')"
    )
    assert {row[1:] for row in charged if row[0] in neighbours} == {("worker blocked", 0)}
    assert [row[1:] for row in charged if row[0] == blocking] == [("it blocked its worker", one) for one in (1, 2)]


def test_a_forgotten_where_shows_a_tenant_nothing_of_another(system: System, database_url: str) -> None:
    system.submit(Nothing(), Nothing())
    other = "00000000-0000-7000-8000-000000000001"

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE bucatini_tenant")
        for table in ("jobs", "job_events", "job_keys", "api_keys", "tenants"):
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == [], "without a tenant there is nothing"
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (other,))
        assert connection.execute("SELECT * FROM jobs").fetchall() == []
        assert connection.execute("UPDATE jobs SET priority = 9").rowcount == 0
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (str(system.tenant_id),))
        assert len(connection.execute("SELECT * FROM jobs").fetchall()) == 2


def _pid_at(system: System, job_id: UUID) -> int:
    """The process that has the job; 0 for none."""
    rows = system.read("SELECT w.pid FROM jobs j JOIN workers w ON w.id = j.lease_worker WHERE j.id = %s", job_id)
    return int(rows[0][0]) if rows else 0
