"""What ended badly is run again once its cause is mended, one job or many, and never twice by one request."""

from typing import Any
from uuid import UUID

import httpx

from producers.client import Bucatini
from schemas.failures import FailedState, Replay, ReplayFailures
from schemas.failures import ReplayState as Progress
from schemas.problems import Problem
from tests.integration.jobs.failing_jobs import fail, mark_failed
from tests.integration.serving import World
from tests.probe import Gather, Misbehave
from tests.system import System
from tests.waiting import wait_until

# One job


def test_a_dead_job_runs_again_with_its_attempts_unspent(system: System, served: World) -> None:
    tenant = served.tenant()
    system.worker()
    (job_id,) = system.submit(Misbehave(how="raise"), tenant_id=tenant.id)
    system.await_state(job_id, "dead")
    with Bucatini(served.url, tenant.key) as client:
        client.jobs.replay(job_id)
    wait_until(lambda: system.timeline(job_id).count("job.dead") == 2, "it has died a second time")
    died = system.timeline(job_id)

    again = died[died.index("job.replayed") :]
    assert again == ["job.replayed", *["job.started", "job.retrying"] * 2, "job.started", "job.dead"]
    assert system.read("SELECT attempt, crashes FROM jobs WHERE id = %s", job_id) == [(3, 0)]
    ((by,),) = system.read("SELECT data ->> 'by' FROM job_events WHERE job_id = %s AND type = 'job.replayed'", job_id)
    assert by == tenant.key_id


def test_a_replay_may_run_with_another_command_that_fits(world: World) -> None:
    tenant = world.tenant()
    (job_id,) = fail(world, tenant, 1)
    with world.http(tenant) as http:
        misfit = http.post(f"/api/jobs/{job_id}/replay", json={"command": {"title": 7, "txet": "words"}})
        replayed = http.post(f"/api/jobs/{job_id}/replay", json={"command": {"title": "Mended", "text": "words"}})

    assert misfit.status_code == 422
    assert {error.pointer for error in _problem(misfit).errors} == {"/command/title", "/command/txet"}
    assert (replayed.status_code, replayed.json()["state"]) == (202, "queued")
    assert _row(world, "SELECT command ->> 'title', problem, fingerprint, attempt FROM jobs WHERE id = %s", job_id) == (
        "Mended",
        None,
        None,
        0,
    )


def test_only_what_has_ended_badly_is_replayed(world: World) -> None:
    tenant = world.tenant()
    waits, done, cancelled = world.submit(tenant), world.submit(tenant), world.submit(tenant)
    world.succeed(done, {"title": "Lease"})
    with world.http(tenant) as http:
        http.post(f"/api/jobs/{cancelled}/cancel")
        refused = [http.post(f"/api/jobs/{job_id}/replay") for job_id in (waits, done)]
        replayed = http.post(f"/api/jobs/{cancelled}/replay")

    assert [(answer.status_code, _problem(answer).name) for answer in refused] == [(409, "job-not-over")] * 2
    assert ["queued" in _problem(refused[0]).detail, "succeeded" in _problem(refused[1]).detail] == [True, True]
    assert (replayed.status_code, replayed.json()["finished_at"]) == (202, None)


def test_a_replay_sent_again_with_its_key_replays_once(world: World) -> None:
    tenant = world.tenant()
    (job_id,) = fail(world, tenant, 1)
    with world.http(tenant) as http:
        answers = [http.post(f"/api/jobs/{job_id}/replay", headers={"idempotency-key": key}) for key in ("a", "a", "b")]

    assert [answer.status_code for answer in answers] == [202, 202, 409]
    assert _row(world, "SELECT count(*) FROM job_events WHERE job_id = %s AND type = 'job.replayed'", job_id) == (1,)


def test_nobody_replays_what_they_may_not_submit(world: World) -> None:
    admin = world.tenant()
    clerk = world.another_key(admin.id, "jobs:write", "jobs:read")
    with world.http(admin) as http:
        rotation = UUID(http.post("/api/keys/rotate").json()["id"])
    mark_failed(world, [rotation])
    with world.http(clerk) as http:
        one = http.post(f"/api/jobs/{rotation}/replay")
        kind = http.post("/api/jobs/replay", json={"kind": "keys.rotate"})
        counted = http.post("/api/jobs/replay", json={"dry_run": True}).json()["count"]
    with world.http(admin) as http:
        whole = http.post("/api/jobs/replay", json={"dry_run": True}).json()["count"]

    assert (one.status_code, kind.status_code) == (403, 403)
    assert (counted, whole) == (0, 1)


def test_a_batch_and_a_delivery_arent_replayed_but_what_they_stand_for_is(system: System, served: World) -> None:
    tenant = served.tenant()
    failed, delivery = fail(served, tenant, 2)
    batch, (child,) = served.submit_batch(tenant, {})
    with served.http(tenant) as http, Bucatini(served.url, tenant.key) as client:
        http.post(f"/api/batches/{batch}/cancel")
        mark_failed(served, [batch])
        served.database.execute("UPDATE jobs SET kind = 'jobs.deliver_webhook' WHERE id = %s", (delivery,))
        alone = [http.post(f"/api/jobs/{job_id}/replay") for job_id in (batch, delivery)]
        by_kind = [
            http.post("/api/jobs/replay", json={"kind": kind, "dry_run": True})
            for kind in ("jobs.batch", "jobs.deliver_webhook")
        ]
        counted = http.post("/api/jobs/replay", json={"dry_run": True}).json()["count"]
        replayed = http.post(f"/api/jobs/{child}/replay")
        system.dispatcher()
        done = _worked_off(client, client.failures.replay(ReplayFailures()).id)

    assert [(one.status_code, _problem(one).name) for one in (*alone, *by_kind)] == [(409, "not-replayable")] * 4
    assert ["batch_id" in _problem(alone[0]).detail, "redeliver" in _problem(alone[1]).detail] == [True, True]
    assert (counted, replayed.status_code, done.replayed) == (1, 202, 1)
    assert sorted(_replayed(served)) == sorted([failed, child])


def test_a_waiting_parent_waits_for_its_replayed_child_again(system: System, served: World) -> None:
    tenant = served.tenant()
    (parent,) = system.submit(Gather(children=2), tenant_id=tenant.id)
    worker = system.worker()
    system.await_state(parent, "succeeded")
    worker.kill()
    # As it stood before the last of the children had ended: one has failed, one still runs.
    first, second = [row[0] for row in system.read("SELECT id FROM jobs WHERE parent_id = %s ORDER BY id", parent)]
    served.database.execute("UPDATE jobs SET state = 'waiting', finished_at = NULL WHERE id = %s", (parent,))
    served.database.execute("UPDATE jobs SET state = 'running' WHERE id = %s", (second,))
    mark_failed(served, [first])
    with served.http(tenant) as http:
        assert http.post(f"/api/jobs/{first}/replay").status_code == 202
        served.database.execute("UPDATE jobs SET state = 'failed' WHERE id = %s", (parent,))
        assert _problem(http.post(f"/api/jobs/{parent}/replay")).name == "children-run"
        served.database.execute("UPDATE jobs SET state = 'waiting' WHERE id = %s", (parent,))
        http.post(f"/api/jobs/{second}/cancel")
        assert served.database.execute("SELECT state FROM jobs WHERE id = %s", (parent,)).fetchone() == ("waiting",)
    system.worker()

    system.await_state(parent, "succeeded")
    assert system.read("SELECT result FROM jobs WHERE id = %s", parent) == [({"states": ["succeeded", "cancelled"]},)]


# Many jobs


def test_a_replay_of_many_outlives_its_dispatcher_and_replays_each_once(system: System, served: World) -> None:
    tenant, other = served.tenant(), served.tenant()
    wanted = fail(served, tenant, 1_300)
    fail(served, tenant, 5, problem=Problem.of("rare", "It is rare", 500))
    fail(served, other, 5)
    killed = system.dispatcher()
    with Bucatini(served.url, tenant.key) as client:
        asked = ReplayFailures(problem="odd", state=FailedState.FAILED, limit=10_000, per_second=400)
        assert client.failures.count(asked).count == len(wanted)
        replay = client.failures.replay(asked)
        wait_until(lambda: client.failures.progress(replay.id).replayed > 0, "the replay has begun")
        killed.kill()
        # What fails again meanwhile isn't taken a second time.
        mark_failed(served, _replayed(served)[:50])
        assert client.failures.progress(replay.id).state is Progress.RUNNING
        system.dispatcher()
        system.dispatcher()
        done = _worked_off(client, replay.id)

    assert done.replayed == len(wanted)
    assert sorted(_replayed(served)) == sorted(wanted)


def test_a_replay_goes_no_faster_and_no_further_than_asked(system: System, served: World) -> None:
    tenant = served.tenant()
    fail(served, tenant, 12)
    system.dispatcher(SWEEP_SECONDS="0.05")
    with Bucatini(served.url, tenant.key) as client:
        replay = client.failures.replay(ReplayFailures(per_second=5, limit=10))
        done = _worked_off(client, replay.id)

    assert done.finished_at is not None
    assert (done.replayed, (done.finished_at - done.created_at).total_seconds() >= 1.0) == (10, True)


def test_a_replay_of_many_sent_again_with_its_key_is_the_same_replay(world: World) -> None:
    key = {"idempotency-key": "monday"}
    with world.http(world.tenant()) as http:
        first, again, other = [
            http.post("/api/jobs/replay", json=body, headers=key) for body in ({}, {}, {"kind": "keys.rotate"})
        ]
        crowd = [http.post("/api/jobs/replay", json={}) for _ in range(20)]

    assert first.json()["id"] == again.json()["id"]
    assert _problem(other).name == "idempotency-key-reused"
    assert _problem(crowd[-1]).name == "too-many-replays"


def _worked_off(client: Bucatini, replay_id: UUID) -> Replay:
    wait_until(lambda: client.failures.progress(replay_id).state is Progress.FINISHED, "the replay is worked off")
    return client.failures.progress(replay_id)


def _replayed(world: World) -> list[UUID]:
    return [one for (one,) in world.database.execute("SELECT job_id FROM job_events WHERE type = 'job.replayed'")]


def _row(world: World, statement: str, *parameters: object) -> tuple[Any, ...] | None:
    return world.database.execute(statement, parameters).fetchone()


def _problem(answer: httpx.Response) -> Problem:
    return Problem.model_validate_json(answer.content)
