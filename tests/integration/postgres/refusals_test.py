"""A PostgreSQL that answers, and refuses: whoever needs it waits, says so, and goes on once it doesn't any more."""

import os
import signal

import pytest

from infrastructure.local_stack.servers.postgres import PostgresServer
from infrastructure.ports import Unavailable
from tests.integration.readiness import reasons, status
from tests.postgres_faults import no_connection_left, read_only
from tests.probe import LeaveMark
from tests.system import System
from tests.waiting import wait_until

QUICK = {"RING_AGAIN_SECONDS": "1", "RING_ALL_AGAIN_SECONDS": "2"}


def test_work_waits_for_a_postgresql_that_takes_no_writes_and_goes_on(system: System, database_url: str) -> None:
    worker, dispatcher = system.worker(), system.dispatcher(**QUICK)
    (job_id,) = system.submit(LeaveMark(seconds=1))
    system.await_state(job_id, "running")

    with read_only(database_url):
        for process in (worker, dispatcher):
            wait_until(lambda process=process: "takes no writes" in reasons(process), "it says why")  # type: ignore[misc]
            assert status(process) == "degraded"
        with pytest.raises(Unavailable, match="takes no writes"):
            system.submit(LeaveMark())

    (after,) = system.submit(LeaveMark())
    assert system.await_all_finished(2) == {"succeeded": 2}
    assert [len(system.marks(one)) for one in (job_id, after)] == [1, 1]
    for process in (worker, dispatcher):
        wait_until(lambda process=process: status(process) == "ready", "nothing is missing any more")  # type: ignore[misc]
        assert process.exit_code is None


def test_a_worker_that_is_started_before_postgresql_takes_writes_waits_for_it(
    system: System, database_url: str
) -> None:
    (job_id,) = system.submit(LeaveMark())

    with read_only(database_url):
        waiting = system.begin("tests.probe", "ai")
        wait_until(lambda: waiting.said("it can't begin yet: PostgreSQL takes no writes"), "it says why it waits")

    system.await_state(job_id, "succeeded")
    assert waiting.exit_code is None


def test_a_worker_that_waits_for_postgresql_ends_when_it_is_told_to(system: System, database_url: str) -> None:
    with read_only(database_url):
        waiting = system.begin("tests.probe", "ai")
        wait_until(lambda: waiting.said("it can't begin yet"), "it waits")

        os.kill(waiting.pid, signal.SIGTERM)

        wait_until(lambda: waiting.exit_code is not None, "it has ended")
        assert waiting.exit_code == 0


def test_a_worker_that_cannot_work_at_all_ends_with_a_code_that_says_so(system: System) -> None:
    worker = system.begin("tests.probe", "ai", OBJECT_STORE_URL="file:///nowhere")

    wait_until(lambda: worker.exit_code is not None, "it has ended")
    assert worker.exit_code == 1


def test_a_worker_that_finds_no_connection_left_waits_for_one(system: System, postgres: PostgresServer) -> None:
    (job_id,) = system.submit(LeaveMark())

    with no_connection_left(postgres.url):
        waiting = system.begin("tests.probe", "ai")
        wait_until(lambda: waiting.said("PostgreSQL has no connection left"), "it says why it waits")

    system.await_state(job_id, "succeeded")
    assert waiting.exit_code is None
