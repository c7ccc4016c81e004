"""What several machines would carry, from what a job costs on one."""

from dataclasses import replace

import pytest

from tests.benchmarks.beyond import explained
from tests.benchmarks.capacity import Assumptions, Coefficients, capacity

COST = Coefficients(
    postgres_us=100.0, redis_us=5.0, worker_us=150.0, dispatcher_us=25.0, producer_us=50.0, wal_bytes=4_000.0
)
GIVEN = Assumptions(
    jobs_per_second=10_000,
    postgres_cores=4,
    busy=0.5,
    scaling=1.0,
    wal_megabytes_per_second=1_000,
    handler_seconds=0.0,
    handler_cpu_ms=0.0,
    concurrency=100,
    connections_per_worker=4,
    most_connections=400,
    kept_days=1,
    bytes_per_finished_job=1_000,
)


def test_what_a_part_used_of_a_core_is_shared_by_the_jobs_of_a_second() -> None:
    cores = {"PostgreSQL": 0.5, "Redis": 0.02, "worker 1": 0.4, "worker 2": 0.4, "producer": 0.3, "others": 9.0}
    cost = Coefficients.of(5_000, cores, 3_500)
    assert cost.postgres_us == pytest.approx(100)
    assert cost.worker_us == pytest.approx(160), "all workers together"
    assert cost.dispatcher_us == 0


def test_one_database_carries_what_its_cores_allow_when_half_busy() -> None:
    found = capacity(COST, GIVEN)
    assert found.postgres_jobs_per_second == pytest.approx(20_000)
    assert (found.databases, found.limit) == (1, "its cores")


def test_twice_what_one_database_carries_wants_more_than_one() -> None:
    assert capacity(COST, replace(GIVEN, jobs_per_second=40_001)).databases == 3


def test_a_slow_volume_under_the_log_is_the_limit_before_the_cores_are() -> None:
    found = capacity(COST, replace(GIVEN, wal_megabytes_per_second=20))
    assert found.one_database_carries == pytest.approx(5_000)
    assert (found.databases, found.limit) == (2, "its log")


def test_further_cores_bring_less_than_the_first() -> None:
    assert capacity(COST, replace(GIVEN, scaling=0.5)).postgres_jobs_per_second == pytest.approx(20_000 * 1.875 / 4)


def test_jobs_that_wait_need_places_and_jobs_that_compute_need_cores() -> None:
    waiting = capacity(COST, replace(GIVEN, handler_seconds=1.0))
    assert waiting.worker_processes == waiting.workers_by_concurrency == 200
    computing = capacity(COST, replace(GIVEN, handler_cpu_ms=9.99))
    assert computing.worker_processes == computing.workers_by_cpu == 203


def test_the_workers_connections_are_shared_by_the_databases() -> None:
    found = capacity(COST, replace(GIVEN, jobs_per_second=40_000, handler_seconds=1.0))
    assert (found.databases, found.connections_per_database, found.workers_that_fit) == (2, 1_600, 100)


def test_what_is_kept_grows_by_the_day() -> None:
    found = capacity(COST, replace(GIVEN, kept_days=7))
    assert found.kept_gigabytes == pytest.approx(10_000 * 86_400 * 7 * 1_000 / 1e9)


def test_the_explanation_says_what_is_the_limit_and_whether_to_split() -> None:
    given = replace(GIVEN, wal_megabytes_per_second=20)
    said = explained(COST, given, capacity(COST, given))
    assert "5,000 jobs/s, limited by its log" in said
    assert "by queue first, then by tenant" in said
