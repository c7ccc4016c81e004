"""Jobs that follow another are stored with its end: all or nothing, once, and nobody waits for them."""

from uuid import uuid4

from producers.submission.submitter import JobOptions
from tests.probe import LeaveMark, PassOn
from tests.system import System
from tests.waiting import wait_until

QUICK = {"HEARTBEAT_SECONDS": "0.5", "LEASE_SECONDS": "3"}


def _followers(system: System) -> list[tuple[object, ...]]:
    return system.read(
        "SELECT id, state, causation_id, correlation_id, parent_id, priority, traceparent FROM jobs WHERE kind = %s",
        LeaveMark.kind,
    )


def test_what_follows_a_job_runs_at_once_and_says_whose_end_it_followed(system: System) -> None:
    system.worker(RING_AGAIN_SECONDS="600")
    correlation, trace = uuid4(), f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
    terms = JobOptions(priority=8, correlation_id=correlation, traceparent=trace)

    (job_id,) = system.submit(PassOn(followers=3), terms=terms)

    # There is no dispatcher, so whatever runs was rung for by the worker.
    assert system.await_all_finished(4) == {"succeeded": 4}
    assert system.timeline(job_id) == ["job.queued", "job.started", "probe.gathered", "job.succeeded"]
    followers = _followers(system)
    assert [row[1:] for row in followers] == [("succeeded", job_id, correlation, None, 8, trace)] * 3


def test_a_job_that_ran_twice_is_followed_once(system: System) -> None:
    system.dispatcher(**QUICK)
    frozen = system.worker(**QUICK)
    (job_id,) = system.submit(PassOn(followers=2, seconds=1.0))
    system.await_state(job_id, "running")
    system.freeze(frozen)
    system.worker(**QUICK)
    system.await_state(job_id, "succeeded")

    system.thaw(frozen)
    wait_until(lambda: frozen.said("had no effect"), "the first run's end came too late")

    assert system.await_all_finished(3) == {"succeeded": 3}
    assert len(_followers(system)) == 2


def test_a_worker_killed_before_its_job_ends_leaves_nothing_that_follows(system: System) -> None:
    system.dispatcher(**QUICK)
    killed = system.worker(**QUICK)
    (job_id,) = system.submit(PassOn(followers=2, seconds=2.0))
    system.await_state(job_id, "running")

    killed.kill()

    assert _followers(system) == []
    system.worker(**QUICK)
    assert system.await_all_finished(3) == {"succeeded": 3}
