"""A Redis that is silently gone: its connections stand, and nothing comes through them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.celery.doorbell import SHORT
from tests.probe import LeaveMark, Nothing
from tests.silent_proxy import Gap
from tests.system import System
from tests.waiting import wait_until

BACK_WITHIN_SECONDS = 60.0
"""After a silence of ten seconds, from its end."""
WATCHDOG_SECONDS = 10.0


@pytest.fixture
def gap(redis_url: str) -> Iterator[Gap]:
    with Gap(redis_url) as between:
        yield between


@pytest.fixture
def distant(gap: Gap, database_url: str, tmp_path: Path) -> Iterator[System]:
    """A system all of whose processes reach Redis through the gap."""
    with System(database_url, gap.url, tmp_path) as running:
        yield running


def test_a_worker_recovers_from_a_redis_that_was_silently_gone(distant: System, gap: Gap) -> None:
    distant.dispatcher(RING_AGAIN_SECONDS="1", RING_ALL_AGAIN_SECONDS="3")
    worker = distant.worker()
    (before,) = distant.submit(LeaveMark())
    distant.await_state(before, "succeeded")

    gap.swallow()
    during = distant.submit(*[LeaveMark() for _ in range(20)])
    silent_at = time.monotonic()
    wait_until(lambda: time.monotonic() - silent_at > 10, "Redis was gone for ten seconds")
    assert gap.swallowed, "something was lost"
    assert {distant.state(job_id) for job_id in during} == {"queued"}
    gap.pass_on()

    assert distant.await_all_finished(21, within_seconds=BACK_WITHIN_SECONDS) == {"succeeded": 21}
    assert all(distant.marks(job_id) == [1] for job_id in during)
    assert worker.exit_code is None


def test_a_worker_that_alone_hears_no_bells_ends_itself_and_the_next_one_goes_on(distant: System, gap: Gap) -> None:
    distant.dispatcher(RING_AGAIN_SECONDS="1", RING_ALL_AGAIN_SECONDS="3")
    deaf = distant.worker(WATCHDOG_SECONDS=str(WATCHDOG_SECONDS))
    (running,) = distant.submit(LeaveMark(seconds=WATCHDOG_SECONDS + 4))
    distant.await_state(running, "running")

    gap.swallow_whoever_says(b"BRPOP")

    wait_until(lambda: deaf.exit_code is not None, "the watchdog ends it")
    assert deaf.exit_code == 70
    assert deaf.said("no doorbell arrived")
    assert distant.state(running) == "succeeded", "what ran there was let finish"
    assert distant.read("SELECT count(*) FROM workers WHERE dead_at IS NULL") == [(0,)], "its lease is given up"
    gap.pass_on()
    (late,) = distant.submit(Nothing())
    distant.worker()
    distant.await_state(late, "succeeded")


def test_a_worker_that_is_full_is_not_taken_for_deaf(distant: System) -> None:
    worker = distant.worker(WATCHDOG_SECONDS="6", WORKER_CONCURRENCY="1")
    # As many as are rung for without a dispatcher.
    long, *_ = distant.submit(LeaveMark(seconds=9), *[Nothing() for _ in range(SHORT - 1)])

    assert distant.await_all_finished(SHORT) == {"succeeded": SHORT}

    assert worker.exit_code is None
    assert distant.marks(long) == [1]
