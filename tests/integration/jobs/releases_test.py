"""A rolling deploy: workers of two releases side by side, each given what the other wrote."""

from collections.abc import Sequence
from uuid import UUID

import orjson
import redis

from infrastructure.celery.doorbell import SHORT
from infrastructure.celery.message import VERSION, JobRef, messages_of
from tests.releases import Greet, GreetMany, Wave
from tests.system import System
from tests.waiting import wait_until


def test_a_command_of_the_next_release_waits_for_its_worker_and_spends_no_attempt(system: System) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    old = system.start("tests.releases", "1")
    jobs = system.submit(*[GreetMany(names=("Ada", "Grace")) for _ in range(20)])
    wait_until(
        lambda: all(system.timeline(job_id).count("job.retrying") >= 2 for job_id in jobs),
        "the old worker has met every one of them twice",
    )
    assert system.read("SELECT DISTINCT attempt, max_attempts FROM jobs WHERE state = 'retrying'") == [(0, 1)]
    assert {problem["type"].rsplit("/", 1)[-1] for problem in map(system.problem, jobs)} == {"not-understood"}

    system.start("tests.releases", "2")
    old.stop()

    assert system.await_all_finished(20) == {"succeeded": 20}
    assert _answers(system, jobs) == [{"release": 2, "names": ["Ada", "Grace"]}] * 20
    assert system.read("SELECT DISTINCT attempt FROM jobs") == [(1,)], "only the run that understood it was an attempt"
    assert old.exit_code == 0


def test_a_kind_that_only_the_next_release_has_waits_for_its_worker(system: System) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    old = system.start("tests.releases", "1")
    jobs = system.submit(*[Wave() for _ in range(5)])
    (known,) = system.submit(Greet(name="Ada"))
    system.await_state(known, "succeeded")
    for job_id in jobs:
        system.await_state(job_id, "retrying")
    assert {system.problem(job_id)["type"].rsplit("/", 1)[-1] for job_id in jobs} == {"not-understood"}

    system.start("tests.releases", "2")

    assert system.await_all_finished(6) == {"succeeded": 6}
    assert {answer["release"] for answer in _answers(system, jobs)} == {2}
    assert old.exit_code is None
    assert not old.said("unregistered task"), "a bell of a kind that it doesn't know isn't dropped"


def test_a_new_worker_reads_what_the_old_release_wrote(system: System) -> None:
    jobs = system.submit(*[Greet(name=name) for name in ("Ada", "Grace")])

    system.start("tests.releases", "2")

    assert system.await_all_finished(2) == {"succeeded": 2}
    assert _answers(system, jobs) == [{"release": 2, "names": ["Ada"]}, {"release": 2, "names": ["Grace"]}]


def test_a_command_that_nobody_understood_for_a_day_is_set_aside(system: System) -> None:
    system.dispatcher(RING_AGAIN_SECONDS="1")
    (job_id,) = system.submit(GreetMany(names=("Ada",)))
    system.start("tests.releases", "1")
    system.await_state(job_id, "retrying")

    system.read(
        "UPDATE jobs SET problem = jsonb_set(problem, '{since}', to_jsonb(now() - interval '25 hours')) "
        "WHERE id = %s RETURNING id",
        job_id,
    )

    system.await_state(job_id, "dead")
    assert "start one that has" in system.problem(job_id)["detail"]


def test_bells_of_the_next_release_go_round_until_its_worker_comes_and_keep_nobody_else_waiting(system: System) -> None:
    with redis.Redis.from_url(system.environment["REDIS_URL"]) as client:
        for number in range(40):
            client.lpush("ai", _bell_of_the_next_release(system, number))
        worker = system.start("tests.releases", "1", WORKER_CONCURRENCY="4")

        known = system.submit(*[Greet(name="Ada") for _ in range(SHORT)])

        assert system.await_all_finished(len(known)) == {"succeeded": SHORT}
        worker.stop()
        assert client.llen("ai") == 40
    assert worker.said("aside, for a newer worker")
    assert not worker.said("no doorbell")


def _bell_of_the_next_release(system: System, number: int) -> bytes:
    ring = JobRef(UUID(int=number), system.tenant_id, Greet.kind, "ai", 5)
    ((message,),) = messages_of([ring]).values()
    told = orjson.loads(message)
    return orjson.dumps({**told, "body": "whatever it is", "headers": {**told["headers"], "bell": VERSION + 1}})


def _answers(system: System, jobs: Sequence[UUID]) -> list[dict[str, object]]:
    rows = dict(system.read("SELECT id, result FROM jobs"))
    return [rows[job_id] for job_id in jobs]
