"""The whole system on a Redis watched by Sentinels and on a cluster, whose master is killed while it works."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from infrastructure.celery.app import celery_app
from tests.probe import LeaveMark
from tests.redis_modes import Cluster, Node, Watched, redis_cluster, watched_redis
from tests.system import System
from tests.waiting import wait_until

FIRST, LATER = 400, 100
ENDED_WITHIN_SECONDS = 60.0


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watched_redis(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with redis_cluster(tmp_path / "redis") as running:
        yield running


def test_a_failover_by_sentinels_under_load_loses_nothing(watched: Watched, database_url: str, tmp_path: Path) -> None:
    with System(database_url, watched.url, tmp_path) as system:
        seconds = _work_through_the_loss_of(watched.master(), system)
        assert watched.master().running is not None
    print(f"Sentinel: all {FIRST + LATER} jobs had ended {seconds:.1f} s after the master was killed")


def test_a_failover_in_a_cluster_under_load_loses_nothing(cluster: Cluster, database_url: str, tmp_path: Path) -> None:
    with System(database_url, cluster.url, tmp_path) as system:
        seconds = _work_through_the_loss_of(cluster.holder(), system)
    print(f"Cluster: all {FIRST + LATER} jobs had ended {seconds:.1f} s after the master was killed")


def test_in_a_cluster_every_key_is_in_one_slot(cluster: Cluster, database_url: str, tmp_path: Path) -> None:
    with System(database_url, cluster.url, tmp_path) as system:
        system.submit(*[LeaveMark() for _ in range(300)])
        holder = cluster.holder()
        with holder.client() as client:
            keys = set(client.keys("*"))
            assert keys
            assert all(key.startswith("{bucatini}:") for key in keys)
            assert client.llen("{bucatini}:ai") > 0, "the depth that a scaler reads"
        system.worker()
        system.dispatcher()
        assert system.await_all_finished(300) == {"succeeded": 300}
        with holder.client() as client:
            assert client.exists("{bucatini}:ai") == 0


def _work_through_the_loss_of(master: Node, system: System) -> float:
    """How long after its death everything had ended that was submitted before, at and after it."""
    system.dispatcher(RING_AGAIN_SECONDS="1")
    workers = [system.worker(), system.worker()]
    app = celery_app(system.settings)
    wait_until(lambda: len(app.control.ping(timeout=1.0)) == 2, "both workers answer operators")
    jobs = system.submit(*[LeaveMark(seconds=0.2) for _ in range(FIRST)])
    wait_until(lambda: system.states()["running"], "work is under way")

    master.kill()
    killed_at = time.monotonic()
    jobs += system.submit(*[LeaveMark() for _ in range(LATER)])
    assert system.await_all_finished(len(jobs), within_seconds=ENDED_WITHIN_SECONDS) == {"succeeded": len(jobs)}
    ended_seconds = time.monotonic() - killed_at

    assert all(system.marks(job_id) == [1] for job_id in jobs)
    jobs += system.submit(*[LeaveMark() for _ in range(LATER)])
    assert system.await_all_finished(len(jobs), within_seconds=ENDED_WITHIN_SECONDS) == {"succeeded": len(jobs)}
    wait_until(lambda: len(_pinged(app)) == 2, "both workers answer operators again")
    assert [worker.exit_code for worker in workers] == [None, None]
    app.close()
    return ended_seconds


def _pinged(app: Celery) -> list[object]:
    try:
        return list(app.control.ping(timeout=1.0))
    except (OperationalError, RedisError):
        return []  # A broadcast over a connection to the old master.
