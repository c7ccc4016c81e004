"""What a job goes through on a real worker, when everything works and when the work itself misbehaves."""

from uuid import UUID

import psycopg
import pytest
import redis

from infrastructure.celery.doorbell import SHORT
from infrastructure.celery.keys import list_of, step_of
from infrastructure.postgres.jobs.claim import SOUGHT_SECONDS
from infrastructure.postgres.jobs.submission import Accepted, KeyReused, Repeated
from producers.submission.submitter import NORMAL_PRIORITY, JobOptions
from tests.probe import Gather, LeaveMark, Misbehave, Nothing
from tests.system import System
from tests.waiting import wait_until


def test_a_submitted_job_runs_and_its_timeline_tells_all_of_it(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(LeaveMark())

    system.await_state(job_id, "succeeded")
    assert system.timeline(job_id) == ["job.queued", "job.started", "probe.mark_left", "job.succeeded"]
    assert system.marks(job_id) == [1]
    assert system.read("SELECT result FROM jobs WHERE id = %s", job_id) == [({"attempt": 1, "note": ""},)]


def test_jobs_accepted_before_any_worker_runs_wait_for_one(system: System) -> None:
    job_ids = system.submit(*[Nothing() for _ in range(120)])

    system.worker()

    assert system.await_all_finished(len(job_ids)) == {"succeeded": 120}


def test_a_crashing_handler_is_tried_again_and_its_message_is_told_to_nobody(system: System) -> None:
    worker = system.worker()

    (job_id,) = system.submit(Misbehave(how="raise"))

    system.await_state(job_id, "dead")
    started_and_retried = ["job.started", "job.retrying"] * 2
    assert system.timeline(job_id) == ["job.queued", *started_and_retried, "job.started", "job.dead"]
    assert system.problem(job_id)["type"].endswith("/handler-crashed")
    assert "ValueError" in system.problem(job_id)["detail"]
    assert "4711" not in str(system.read("SELECT j, e FROM jobs j JOIN job_events e ON e.job_id = j.id"))
    assert not worker.said("4711")


def test_a_handler_that_recovers_succeeds_on_its_next_attempt(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(Misbehave(how="raise", until_attempt=2))

    system.await_state(job_id, "succeeded")
    assert system.timeline(job_id).count("job.started") == 2


def test_nothing_follows_the_end_of_a_cancelled_job_when_its_run_goes_on(system: System) -> None:
    worker = system.worker()
    (job_id,) = system.submit(LeaveMark(seconds=1))
    system.await_state(job_id, "running")

    # As an ingress does it whose word to the worker got lost.
    system.read(
        "WITH u AS (UPDATE jobs SET state = 'cancelled', seq = seq + 1, lease_token = NULL, lease_worker = NULL, "
        "finished_at = now() WHERE id = %s RETURNING id, tenant_id, seq) "
        "INSERT INTO job_events (job_id, tenant_id, seq, type) SELECT id, tenant_id, seq, 'job.cancelled' FROM u RETURNING seq",
        job_id,
    )

    wait_until(lambda: worker.said("came too late"), "the run has ended all the same")
    (after,) = system.submit(LeaveMark())
    system.await_state(after, "succeeded")
    assert system.timeline(job_id) == ["job.queued", "job.started", "job.cancelled"]


def test_a_refusal_is_final(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(Misbehave(how="refuse"))

    system.await_state(job_id, "failed")
    assert system.timeline(job_id) == ["job.queued", "job.started", "job.failed"]
    assert system.problem(job_id)["title"] == "This can't be done"


def test_retry_after_is_honoured(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(Misbehave(how="ask for patience", until_attempt=2))

    system.await_state(job_id, "succeeded")
    statement = (
        "SELECT extract(epoch FROM max(at) - min(at)) FROM job_events WHERE job_id = %s AND type = 'job.started'"
    )
    assert system.read(statement, job_id)[0][0] >= 1.5


@pytest.mark.parametrize("how", ["hang", "swallow cancel once"])
def test_a_hanging_handler_is_ended_by_its_time_limit(system: System, how: str) -> None:
    system.worker()

    (job_id,) = system.submit(Misbehave(how=how, until_attempt=2))

    system.await_state(job_id, "succeeded")
    data = system.read("SELECT data FROM job_events WHERE job_id = %s AND type = 'job.retrying'", job_id)[0][0]
    assert data["problem"]["type"].endswith("/time-limit")


def test_a_handler_that_exits_ends_neither_the_worker_nor_its_other_runs(system: System) -> None:
    worker = system.worker()

    neighbour, *_ = system.submit(LeaveMark(seconds=1.0), Misbehave(how="exit", until_attempt=2))

    assert system.await_all_finished(2) == {"succeeded": 2}
    assert system.marks(neighbour) == [1]
    assert worker.exit_code is None


def test_a_result_that_cannot_be_stored_fails_its_own_job_only(system: System) -> None:
    job_ids = system.submit(*[LeaveMark() for _ in range(30)], Misbehave(how="return a null character"))

    system.worker()

    assert system.await_all_finished(31) == {"succeeded": 30, "failed": 1}
    assert system.problem(job_ids[-1])["type"].endswith("/result-unstorable")


def test_a_parent_waits_for_its_children_and_sees_how_they_ended(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(Gather(children=3))

    system.await_state(job_id, "succeeded")
    assert system.read("SELECT result FROM jobs WHERE id = %s", job_id) == [({"states": ["succeeded"] * 3},)]
    assert system.timeline(job_id) == [
        "job.queued",
        "job.started",
        "job.waiting",
        "job.resumed",
        "job.started",
        "probe.gathered",
        "job.succeeded",
    ]


def test_a_job_for_later_starts_when_it_is_due(system: System) -> None:
    system.worker()
    system.dispatcher()
    (due,) = system.read("SELECT now() + interval '5 seconds'")[0]

    (job_id,) = system.submit(LeaveMark(), terms=JobOptions(run_at=due))

    system.await_state(job_id, "succeeded")
    assert system.read("SELECT started_at >= run_at FROM jobs WHERE id = %s", job_id) == [(True,)]
    assert system.timeline(job_id)[:2] == ["job.scheduled", "job.queued"]


def test_no_attempt_is_made_after_the_deadline(system: System) -> None:
    (passed,) = system.read("SELECT now() + interval '0.2 seconds'")[0]
    (job_id,) = system.submit(LeaveMark(), terms=JobOptions(deadline=passed))
    wait_until(lambda: system.read("SELECT now() > %s", passed)[0][0], "the deadline has passed")

    system.worker()

    system.await_state(job_id, "dead")
    assert system.problem(job_id)["type"].endswith("/deadline-passed")
    assert system.marks(job_id) == []


def test_a_job_whose_commit_takes_long_is_rung_for_again(system: System) -> None:
    with psycopg.connect(system.settings.database, autocommit=True) as database:
        database.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_sleep(0.3); RETURN NEW; END $$"
        )
        database.execute("CREATE TRIGGER slow BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION slow()")
    system.worker()

    job_id = system.submit_alone(LeaveMark())

    system.await_state(job_id, "succeeded")  # No dispatcher runs, which would ring for what was lost.
    assert system.timeline(job_id) == ["job.queued", "job.started", "probe.mark_left", "job.succeeded"]


def test_a_job_committed_after_its_doorbell_is_let_go_is_rung_for_again(system: System) -> None:
    with psycopg.connect(system.settings.database, autocommit=True) as database:
        database.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"PERFORM pg_sleep({SOUGHT_SECONDS + 0.002}); RETURN NEW; END $$"
        )
        database.execute("CREATE TRIGGER slow BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION slow()")

    system.submit_alone(LeaveMark())

    with redis.Redis.from_url(system.environment["REDIS_URL"]) as client:
        assert client.llen(list_of("ai", step_of(NORMAL_PRIORITY))) == 2, "one ahead, one after the commit"


def test_lone_submissions_are_all_heard_of(system: System) -> None:
    system.worker()

    # As many as are always rung for by whoever submits them: there is no dispatcher here.
    job_ids = [system.submit_alone(LeaveMark()) for _ in range(SHORT)]

    for job_id in job_ids:
        system.await_state(job_id, "succeeded")
        assert system.marks(job_id) == [1]


def test_redelivered_doorbells_are_free(system: System) -> None:
    job_ids = system.submit(*[LeaveMark() for _ in range(20)])
    system.worker()
    system.await_all_finished(20)

    _ring_again(system, job_ids)
    (last,) = system.submit(LeaveMark())

    system.await_state(last, "succeeded")
    assert all(system.marks(job_id) == [1] for job_id in job_ids)


def test_the_same_idempotency_key_makes_one_job(system: System) -> None:
    terms = JobOptions(idempotency_key="invoice-7")

    (first,) = system.try_submit(LeaveMark(), terms=terms)
    (again,) = system.try_submit(LeaveMark(), terms=terms)
    (other,) = system.try_submit(LeaveMark(seconds=1), terms=terms)
    twice = system.try_submit(Nothing(), Nothing(), terms=JobOptions(idempotency_key="both at once"))

    assert isinstance(first, Accepted)
    assert again == Repeated(first.job_id)
    assert other == KeyReused(first.job_id)
    assert [type(outcome) for outcome in twice] == [Accepted, Repeated]
    assert system.states() == {"queued": 2}


def test_the_same_idempotency_key_of_another_tenant_is_another_key(system: System) -> None:
    terms = JobOptions(idempotency_key="invoice-7")

    outcomes = [
        *system.try_submit(Nothing(), terms=terms),
        *system.try_submit(Nothing(), terms=terms, tenant_id=UUID(int=9)),
    ]

    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]


def test_progress_is_stored_while_a_job_runs(system: System) -> None:
    system.worker()

    (job_id,) = system.submit(LeaveMark(seconds=5))

    progress = wait_until(
        lambda: system.read("SELECT progress FROM jobs WHERE id = %s", job_id)[0][0], "progress is stored"
    )
    assert progress == {"fraction": 0.5, "message": "half way"}


def _ring_again(system: System, job_ids: list[UUID]) -> None:
    import asyncio

    from infrastructure.celery.doorbell import Doorbells
    from infrastructure.celery.message import JobRef
    from infrastructure.redis import client

    async def ring() -> None:
        redis = client.connect(system.settings.redis)
        await Doorbells(redis).ring(
            [JobRef(one, system.tenant_id, LeaveMark.kind, LeaveMark.queue, 5) for one in job_ids]
        )
        await redis.aclose()

    asyncio.run(ring())
