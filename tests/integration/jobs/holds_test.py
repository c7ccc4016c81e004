"""What is paused waits and what is killed never begins, in every worker, until somebody removes the hold."""

import asyncio
from typing import Any, Final
from uuid import UUID, uuid4

import redis as redis_package

from infrastructure.celery.keys import list_of
from producers.cli.holds import add_hold, remove_holds
from producers.submission.submitter import Concurrency, JobOptions, open_submitter
from schemas.holds import Hold, HoldAction, NewHold
from tests.probe import Gather, LeaveMark, Nothing
from tests.system import System
from tests.waiting import wait_until

OFTEN: Final = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "0.5", "RING_ALL_AGAIN_SECONDS": "1"}


def hold(system: System, *, tenant_id: UUID | None = None, **wanted: Any) -> Hold:
    made = asyncio.run(add_hold(system.settings, NewHold(**{"reason": "for a test", **wanted}), tenant_id))
    assert made is not None
    return made


def remove(system: System, hold: Hold) -> None:
    assert asyncio.run(remove_holds(system.settings, lambda one: one.id == hold.id)) == [hold]


def test_nothing_of_a_paused_queue_begins_and_no_bells_pile_up(system: System, redis_url: str) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    paused = hold(system, queue="ai")

    asyncio.run(_submit_one_by_one(system, 200))
    system.submit(*[Nothing() for _ in range(1_000)])
    rung_again_at = "SELECT count(*) FROM jobs WHERE created_at < now() - interval '2.5 s'"
    wait_until(lambda: system.read(rung_again_at)[0][0] == 1_200, "the dispatcher had time to ring again")

    assert system.states() == {"queued": 1_200}
    with redis_package.Redis.from_url(redis_url) as client:
        assert client.llen(list_of("ai", 0)) < 50, "those of the first moments, and none rung again"
    remove(system, paused)
    assert system.await_all_finished(1_200) == {"succeeded": 1_200}


def test_a_queue_that_was_rung_for_while_paused_goes_on_at_once(system: System) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="600", RING_ALL_AGAIN_SECONDS="600")
    system.worker()
    paused = hold(system, queue="ai")
    (job_id,) = system.submit(LeaveMark())
    remove(system, paused)

    system.await_state(job_id, "succeeded")


def test_a_paused_kind_waits_while_others_go_on(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    paused = hold(system, kind=LeaveMark.kind)
    held, free = system.submit(LeaveMark(), Nothing())

    system.await_state(free, "succeeded")
    wait_until(lambda: _parked(system, held) == f"hold:{paused.id}", "it is parked")
    remove(system, paused)

    system.await_state(held, "succeeded")
    assert system.timeline(held)[:4] == ["job.queued", "job.held", "job.hold_lifted", "job.started"]


def test_a_paused_tenant_holds_up_nobody_else(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    paused = hold(system, tenant_id=system.tenant_id)
    jobs = system.submit(*[Nothing() for _ in range(2_500)])
    (other,) = system.submit(Nothing(), tenant_id=system.tenant())

    system.await_state(other, "succeeded")
    wait_until(lambda: all(_parked(system, job_id) for job_id in jobs), "all of the tenant's are parked")
    remove(system, paused)

    assert system.await_all_finished(2_501) == {"succeeded": 2_501}


def test_a_killswitch_ends_what_matches_its_argument_before_it_begins(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    hold(system, action=HoldAction.KILL, kind=Nothing.kind, argument={"pad": "bad"}, reason="it sends mail twice")

    bad, good = system.submit(Nothing(pad="bad"), Nothing(pad="good"))

    system.await_state(good, "succeeded")
    system.await_state(bad, "cancelled")
    assert system.timeline(bad) == ["job.queued", "job.cancelled"]
    data = system.read("SELECT data FROM job_events WHERE job_id = %s AND type = 'job.cancelled'", bad)[0][0]
    assert (data["by"], data["reason"]) == ("killswitch", "it sends mail twice")


def test_a_parent_goes_on_when_a_killswitch_ended_its_children(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    hold(system, action=HoldAction.KILL, kind=LeaveMark.kind)

    (parent,) = system.submit(Gather(children=3))

    system.await_state(parent, "succeeded")
    assert system.read("SELECT result->'states' FROM jobs WHERE id = %s", parent) == [(["cancelled"] * 3,)]


def test_a_hold_is_obeyed_without_redis(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    system.read(
        "INSERT INTO holds (id, action, queue, reason, created_by) VALUES (%s, 'pause', 'ai', 'r', 'me') RETURNING id",
        uuid4(),
    )
    worker = system.processes[-1]

    wait_until(lambda: worker.said("1 queues are paused"), "the worker knows")
    (job_id,) = system.submit(Nothing())
    wait_until(lambda: _waits_seconds(system, job_id) > 1, "it waits")
    assert system.state(job_id) == "queued"

    system.read("DELETE FROM holds RETURNING id")
    system.await_state(job_id, "succeeded")


def test_a_parked_job_gives_its_place_under_a_cap_up_and_gets_it_back(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.worker()
    paused = hold(system, kind=LeaveMark.kind)
    terms = JobOptions(concurrency=Concurrency("k", 1))
    (held,) = system.submit(LeaveMark(), terms=terms)
    (behind,) = system.submit(Nothing(), terms=terms)

    system.await_state(behind, "succeeded")
    assert _parked(system, held) == f"hold:{paused.id}"
    remove(system, paused)
    system.await_state(held, "succeeded")


def test_a_tenants_cap_holds_for_all_its_keys_and_for_what_waited_before(system: System) -> None:
    system.dispatcher(**OFTEN)
    system.submit(*[LeaveMark(seconds=0.1) for _ in range(10)])
    assert system.limit(system.tenant_id, jobs_in_flight=2) == 10
    for key in ("a", "b", "c"):
        system.submit(*[LeaveMark(seconds=0.1) for _ in range(3)], terms=JobOptions(concurrency=Concurrency(key, 2)))
    system.submit(LeaveMark(seconds=0.1))
    system.worker()

    assert system.await_all_finished(20) == {"succeeded": 20}
    assert system.most_at_once() == 2


def test_a_lifted_cap_lets_everything_in(system: System) -> None:
    system.limit(system.tenant_id, jobs_in_flight=1)
    system.submit(*[LeaveMark(seconds=30) for _ in range(3)])
    system.dispatcher(**OFTEN)
    system.worker()
    wait_until(lambda: system.states()["running"] == 1, "one runs")

    system.limit(system.tenant_id, jobs_in_flight=None)

    wait_until(lambda: system.states()["running"] == 3, "all run")


async def _submit_one_by_one(system: System, count: int) -> None:
    async with open_submitter(system.settings) as submitter:
        for _ in range(count):
            await submitter.submit(system.tenant_id, Nothing())


def _waits_seconds(system: System, job_id: UUID) -> float:
    return float(system.read("SELECT extract(epoch FROM now() - created_at) FROM jobs WHERE id = %s", job_id)[0][0])


def _parked(system: System, job_id: UUID) -> str | None:
    parked: str | None = system.read("SELECT parked FROM jobs WHERE id = %s", job_id)[0][0]
    return parked
