"""Many commands in one request: what becomes of each, and how their batch ends, once, whoever dies on the way."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from infrastructure.postgres.jobs.settlement import RESUME_PARENTS
from infrastructure.postgres.session import BUS_SESSION
from schemas.jobs import JobState
from tests.integration.serving import DOCUMENT, Tenant, World
from tests.system import System
from tests.waiting import GUARD_SECONDS, wait_until

BATCH = "/api/jobs/batch"
GOOD = {"kind": "ai.process_document", "command": DOCUMENT}
WRONG = {"kind": "ai.process_document", "command": {**DOCUMENT, "title": 7}}
ROTATE: dict[str, Any] = {"kind": "keys.rotate", "command": {}}


@pytest.fixture
def served(system: System) -> Iterator[World]:
    """An ingress on the system's own database, to be used beside its workers and dispatchers."""
    with World(system.settings) as world:
        yield world


def test_each_command_is_answered_for_and_the_good_ones_are_kept_together(world: World) -> None:
    unknown = {"kind": "ai.nothing", "command": {}}
    late = {**GOOD, "deadline": "2020-01-01T00:00:00Z"}
    later = {**GOOD, "run_at": "2100-01-01T00:00:00Z", "priority": 9}
    half_a_cap = {**GOOD, "concurrency_limit": 3}

    answer = _post(world, world.tenant(), GOOD, WRONG, unknown, late, later, half_a_cap)

    told = answer.json()
    assert answer.status_code == 202
    assert [one["outcome"] for one in told["jobs"]] == ["accepted", *["invalid"] * 3, "accepted", "invalid"]
    pointers = [error["pointer"] for one in told["jobs"] for error in one["errors"]]
    assert pointers == ["/jobs/1/command/title", "/jobs/2/kind", "/jobs/3/deadline", "/jobs/5/concurrency_key"]
    assert told["total"] == 2
    assert answer.headers["location"] == f"/api/batches/{told['id']}"
    stored = world.database.execute(
        "SELECT state, priority FROM jobs WHERE parent_id = %s ORDER BY id", (told["id"],)
    ).fetchall()
    assert stored == [("queued", 5), ("scheduled", 9)]


def test_an_atomic_batch_with_one_bad_command_keeps_nothing(world: World) -> None:
    tenant = world.tenant()
    _post(world, tenant, {**GOOD, "idempotency_key": "taken"})
    before = world.stored()

    invalid = _post(world, tenant, GOOD, WRONG, atomic=True)
    reused = _post(world, tenant, GOOD, {**ROTATE, "idempotency_key": "taken"}, atomic=True)

    assert (invalid.status_code, reused.status_code) == (422, 422)
    assert invalid.json()["errors"][0]["pointer"] == "/jobs/1/command/title"
    assert reused.json()["errors"][0]["pointer"] == "/jobs/1/idempotency_key"
    assert world.stored() == before


def test_a_batch_without_a_good_command_is_refused(world: World) -> None:
    answer = _post(world, world.tenant(), WRONG, WRONG)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/jobs/0/command/title", "/jobs/1/command/title"]
    assert world.stored()["jobs"] == 0


def test_each_kind_asks_for_the_scope_of_its_own_address(world: World) -> None:
    mixed = _post(world, world.tenant("jobs:write"), GOOD, ROTATE)
    none = _post(world, world.tenant("jobs:write"), ROTATE)
    both = _post(world, world.tenant("jobs:write", "keys:write"), GOOD, ROTATE)

    assert [one["outcome"] for one in mixed.json()["jobs"]] == ["accepted", "forbidden"]
    assert none.status_code == 403
    assert both.json()["total"] == 2


def test_a_repeat_with_the_same_key_gets_the_first_answer(world: World) -> None:
    tenant = world.tenant()

    first = _post(world, tenant, GOOD, WRONG, key="monday")
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda _: _post(world, tenant, GOOD, WRONG, key="monday"), range(4)))
    other = _post(world, tenant, GOOD, key="monday")

    assert [answer.json() for answer in again] == [first.json()] * 4
    assert again[0].headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (422, "idempotency-key-reused")
    assert world.stored()["jobs"] == 2


def test_a_commands_own_key_makes_one_job_in_whichever_batch_it_comes(world: World) -> None:
    tenant = world.tenant()
    named = {**GOOD, "idempotency_key": "invoice-7"}

    first = _post(world, tenant, named, named).json()
    second = _post(world, tenant, {**ROTATE, "idempotency_key": "invoice-7"}, named).json()
    with world.http(tenant) as http:
        batch = http.get(f"/api/batches/{second['id']}").json()

    job_id = first["jobs"][0]["job_id"]
    assert [one["outcome"] for one in first["jobs"]] == ["accepted", "repeated"]
    assert [one["outcome"] for one in second["jobs"]] == ["key_reused", "repeated"]
    assert {one["job_id"] for one in (*first["jobs"], *second["jobs"])} == {job_id}
    assert (batch["state"], batch["total"], batch["fraction"]) == ("succeeded", 0, 1.0), "it waits for nothing"


def test_a_large_batch_is_bounded_in_number_and_size(world: World) -> None:
    tenant = world.tenant()

    # Each of these is more than the world takes of a single command.
    assert _post(world, tenant, *[{**GOOD, "command": {"title": "T", "text": "x" * 50_000}}] * 4).status_code == 202
    assert _post(world, tenant, *[ROTATE] * 1_000).json()["total"] == 1_000
    assert _post(world, tenant, *[ROTATE] * 1_001).status_code == 422
    with world.http(tenant) as http:
        too_large = http.post(BATCH, content=b" " * 16_000_001, headers={"content-type": "application/json"})
    assert too_large.status_code == 413


def test_a_batch_tells_how_far_it_is_and_lists_its_jobs_page_by_page(world: World) -> None:
    tenant = world.tenant()
    batch_id, job_ids = world.submit_batch(tenant, *[{"title": f"No {number}"} for number in range(5)])
    world.submit(tenant)
    world.succeed(job_ids[0], {})
    world.happen(job_ids[1], "job.failed", state=JobState.FAILED)

    with world.http(tenant) as http:
        batch = http.get(f"/api/batches/{batch_id}").json()
        first = http.get("/api/jobs", params={"batch_id": str(batch_id), "limit": 3}).json()
        rest = http.get(
            "/api/jobs", params={"batch_id": str(batch_id), "limit": 3, "cursor": first["next_cursor"]}
        ).json()

    assert batch["by_state"] == {"queued": 3, "succeeded": 1, "failed": 1}
    assert (batch["state"], batch["total"], batch["fraction"]) == ("waiting", 5, 0.4)
    assert [UUID(job["id"]) for job in (*first["jobs"], *rest["jobs"])] == job_ids[::-1]
    assert rest["next_cursor"] is None


def test_a_batch_completes_once_when_its_last_job_ends_and_its_waiter_hears_of_it(
    system: System, served: World
) -> None:
    _start_everything(system)
    tenant = served.tenant()
    with served.http(tenant) as http, ThreadPoolExecutor(1) as threads:
        answer = _post(served, tenant, *[GOOD] * 300)
        batch_id = UUID(answer.json()["id"])
        waiting = threads.submit(_wait_for, http, f"/api/batches/{batch_id}")
        batch = waiting.result(timeout=GUARD_SECONDS)
        with http.stream("GET", f"/api/batches/{batch_id}/events") as stream:
            stream.read()
            events = [line for line in stream.text.splitlines() if line.startswith("data:")]

    assert (batch["state"], batch["by_state"]) == ("succeeded", {"succeeded": 300})
    assert system.timeline(batch_id) == ["job.waiting", "batch.completed", "job.succeeded"]
    assert len(events) == 3
    assert '"total":300' in events[1].replace(" ", "")


def test_a_batch_whose_last_worker_died_before_telling_is_completed_by_a_dispatcher_once(
    system: System, served: World
) -> None:
    batch_id, job_ids = served.submit_batch(served.tenant(), *[{}] * 3)
    for job_id in job_ids:
        served.succeed(job_id, {})
    system.dispatcher()
    system.dispatcher()
    served.database.execute("UPDATE jobs SET wake_at = now() WHERE id = %s", (batch_id,))

    system.await_state(batch_id, "succeeded")
    assert system.timeline(batch_id) == ["job.waiting", "batch.completed", "job.succeeded"]
    result = system.read("SELECT result FROM jobs WHERE id = %s", batch_id)[0][0]
    assert result == {"total": 3, "succeeded": 3, "failed": 0, "dead": 0, "cancelled": 0}


def test_the_last_job_to_be_cancelled_completes_its_batch(world: World) -> None:
    tenant = world.tenant()
    batch_id, job_ids = world.submit_batch(tenant, {}, {})
    with world.http(tenant) as http:
        for job_id in job_ids:
            http.post(f"/api/jobs/{job_id}/cancel").raise_for_status()
        batch = http.get(f"/api/batches/{batch_id}", headers={"prefer": "wait=5"}).json()

    assert (batch["state"], batch["by_state"]) == ("succeeded", {"cancelled": 2})


@pytest.mark.parametrize("address", ["/api/batches/{}/cancel", "/api/jobs/{}/cancel"])
def test_cancelling_a_batch_ends_all_its_jobs_and_keeps_what_had_ended(world: World, address: str) -> None:
    tenant = world.tenant()
    batch_id, job_ids = world.submit_batch(tenant, *[{}] * 20)
    world.succeed(job_ids[0], {})
    world.happen(job_ids[1], "job.started", state=JobState.RUNNING)
    with world.http(tenant) as http:
        twice = [http.post(address.format(batch_id)).status_code for _ in range(2)]
        batch = http.get(f"/api/batches/{batch_id}").json()

    assert twice == [200, 200]
    assert (batch["state"], batch["by_state"]) == ("cancelled", {"succeeded": 1, "cancelled": 19})
    types = world.database.execute("SELECT type FROM job_events WHERE job_id = %s ORDER BY seq", (batch_id,)).fetchall()
    assert types == [("job.waiting",), ("job.cancelled",)]


def test_a_batch_cancelled_in_full_flight_leaves_no_job_behind(system: System, served: World) -> None:
    _start_everything(system)
    tenant = served.tenant()
    batch_id = _post(served, tenant, *[GOOD] * 600).json()["id"]
    wait_until(lambda: served.stored()["job_events"] > 700, "the jobs are under way")
    with served.http(tenant) as http:
        batch = http.post(f"/api/batches/{batch_id}/cancel").json()

    assert batch["state"] == "cancelled"
    assert batch["by_state"].keys() <= {"succeeded", "cancelled"}
    assert sum(batch["by_state"].values()) == 600


def test_whether_a_child_is_the_last_costs_the_same_however_many_have_ended(served: World) -> None:
    tenant = served.tenant()
    batch_id = _post(served, tenant, *[ROTATE] * 1_000).json()["id"]
    newest = "(SELECT id FROM jobs WHERE parent_id = %s ORDER BY id DESC LIMIT 1)"
    served.database.execute(
        f"UPDATE jobs SET state = 'succeeded' WHERE parent_id = %s AND id <> {newest}", (batch_id, batch_id)
    )
    served.database.execute("VACUUM jobs")
    for name, value in BUS_SESSION.items():
        served.database.execute("SELECT set_config(%s, %s, false)", (name, value))
    asked = "EXPLAIN (ANALYZE, FORMAT JSON) " + RESUME_PARENTS.replace("%b", "%s")
    plan = str(served.database.execute(asked, ([UUID(batch_id)],)).fetchone())

    assert _rows_read(plan, "jobs_unfinished_child") == 1
    assert _rows_read(plan, "jobs_parent") == 0


def test_a_stranger_finds_no_batch(world: World) -> None:
    with world.http(world.tenant()) as http:
        assert http.get(f"/api/batches/{uuid4()}").status_code == 404
        assert http.get(f"/api/batches/{world.submit(world.tenant())}").status_code == 404


def _rows_read(plan: str, index: str) -> float:
    """How many entries of the index the plan says it has read."""
    found = re.search(rf"'Index Name': '{index}'.*?'Actual Rows': ([0-9.]+)", plan)
    assert found is not None, f"{index} isn't in {plan}"
    return float(found[1])


def _start_everything(system: System) -> None:
    system.dispatcher()  # It rings by turns for what exceeds a tenant's window.
    system.start("workers.runtime", "ai")


def _wait_for(http: httpx.Client, path: str) -> Any:
    """What is answered to whoever waits, once it has ended. A busy machine takes longer than one request may."""
    return wait_until(
        lambda: (
            batch if (batch := http.get(path, headers={"prefer": "wait=20"}).json())["state"] != "waiting" else None
        ),
        "the batch has ended",
    )


def _post(
    world: World, tenant: Tenant, *jobs: dict[str, Any], atomic: bool = False, key: str | None = None
) -> httpx.Response:
    with world.http(tenant) as http:
        headers = {} if key is None else {"idempotency-key": key}
        return http.post(BATCH, json={"jobs": jobs, "atomic": atomic}, headers=headers)
