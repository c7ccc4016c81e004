"""Jobs that compute share few processors: what they wait for them is nobody's fault, and nobody waits longer than in turn."""

import socket
from uuid import UUID

from producers.submission.submitter import JobOptions
from tests.probe import AwaitHangUp, Dip, LeaveMark, Nothing, Reckon
from tests.system import System
from tests.waiting import wait_until

LIMIT_SECONDS = Reckon.time_limit_seconds


def test_nobody_dies_of_a_time_limit_that_was_spent_waiting_for_a_processor(system: System) -> None:
    seconds = 0.25
    long = system.submit(*[Reckon(seconds=seconds) for _ in range(24)])
    trivial = system.submit(*[Reckon() for _ in range(4)])
    assert len(long) * seconds > LIMIT_SECONDS, "the last one waits for longer than it may work"

    system.worker()

    assert system.await_all_finished(28) == {"succeeded": 28}
    assert system.read("SELECT max(attempt) FROM jobs") == [(1,)]
    assert all(system.timeline(job_id)[-1] == "job.succeeded" for job_id in trivial)


def test_a_kind_that_only_now_and_then_needs_a_processor_does_not_die_of_waiting_for_it_either(system: System) -> None:
    seconds = 0.25
    system.submit(*[Dip(seconds=seconds) for _ in range(24)])

    system.worker()

    assert system.await_all_finished(24) == {"succeeded": 24}


def test_a_job_that_computes_for_too_long_is_ended_all_the_same(system: System) -> None:
    (job_id,) = system.submit(Reckon(seconds=60.0, calls=600), terms=JobOptions(max_attempts=1))

    system.worker()

    system.await_state(job_id, "dead")
    assert "time-limit" in system.problem(job_id)["type"]


def test_a_worker_claims_no_more_than_its_processors_can_start_soon(system: System) -> None:
    system.submit(*[Reckon(seconds=0.4) for _ in range(8)])
    system.worker(CPU_PROCESSES="2")

    system.await_all_finished(8)

    assert system.most_at_once() <= 6, "one at each processor, and those that have ended and are being settled"


def test_urgent_jobs_and_other_tenants_pass_a_backlog_at_the_processors(system: System) -> None:
    system.dispatcher()
    system.submit(*[Reckon(seconds=0.3) for _ in range(200)])
    system.worker()
    wait_until(lambda: system.states()["succeeded"] >= 2, "the backlog is being worked off")

    (urgent,) = system.submit(Reckon(), terms=JobOptions(priority=9))
    (others,) = system.submit(Reckon(), tenant_id=system.tenant())
    (in_no_need,) = system.submit(Nothing())

    for job_id in (urgent, others, in_no_need):
        system.await_state(job_id, "succeeded")
    print(f"waited {_waited(system, urgent)} s urgent, {_waited(system, others)} s another tenant's")
    assert system.states()["queued"] > 100


def test_jobs_that_turn_out_to_wait_for_others_wait_side_by_side_and_hold_up_none_that_computes(system: System) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=60) as awaited:
        system.submit(*[AwaitHangUp(port=awaited.getsockname()[1]) for _ in range(60)])
        system.worker()
        wait_until(lambda: system.states()["running"] == 60, "all of them wait at the same time, at one processor")

        (computes,) = system.submit(Reckon(seconds=0.1))

        system.await_state(computes, "succeeded")
        assert system.states()["running"] == 60

    assert system.await_all_finished(61) == {"succeeded": 61}


def test_what_a_worker_can_not_start_soon_is_left_to_a_worker_that_comes(system: System) -> None:
    system.submit(*[LeaveMark(seconds=5.0) for _ in range(120)])
    system.worker(WORKER_CONCURRENCY="2")
    wait_until(lambda: system.states()["succeeded"] >= 2, "one worker works at it")

    system.worker(WORKER_CONCURRENCY="40")

    wait_until(lambda: system.states()["running"] > 25, "the other takes all the rest at once")


def _waited(system: System, job_id: UUID) -> float:
    row = system.read("SELECT extract(epoch FROM started_at - created_at)::float8 FROM jobs WHERE id = %s", job_id)[0]
    return round(float(row[0]), 3)
