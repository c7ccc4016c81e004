"""One stored value that no reader can read is told as such, wherever it is read, and spoils nothing beside it."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from infrastructure.settings import Settings
from producers.client import Bucatini
from schemas.bounds import MAX_FREE_LEVELS
from schemas.jobs import JobState
from tests.integration.serving import Tenant, World

ABYSS = 300
UNREADABLE = "https://bucatini.dev/problems/unreadable"


def nested(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(levels - 1):
        tree = {"a": tree}
    return tree


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
def jobs(world: World, tenant: Tenant) -> list[UUID]:
    """Three that have succeeded, the second with what was stored before there were bounds."""
    with Bucatini(world.url, tenant.key) as client:
        client.groups.put("billing", "*")
    made = [world.submit(tenant) for _ in range(3)]
    for job_id, result in zip(made, ({"n": 1}, nested(ABYSS), {"n": 3}), strict=True):
        world.happen(job_id, "ai.document_processed", data=result)
        world.succeed(job_id, result)
    return made


def test_in_lists_and_by_itself_the_job_says_so_and_its_result_can_be_fetched(
    world: World, tenant: Tenant, jobs: list[UUID]
) -> None:
    with world.http(tenant) as http:
        listed = http.get("/api/jobs", params={"include": "result"}).json()["jobs"]
        shown = http.get(f"/api/jobs/{jobs[1]}").json()
        fetched = http.get(shown["result_url"])

    assert [(UUID(job["id"]), job["result"]) for job in listed] == [
        (jobs[2], {"n": 3}),
        (jobs[1], None),
        (jobs[0], {"n": 1}),
    ]
    assert listed[1]["problem"]["type"] == UNREADABLE
    assert shown == listed[1]
    assert fetched.content.count(b"{") == ABYSS


def test_in_a_timeline_the_other_entries_are_as_they_were(world: World, tenant: Tenant, jobs: list[UUID]) -> None:
    with world.http(tenant) as http:
        entries = http.get(f"/api/jobs/{jobs[1]}/timeline").json()["entries"]

    assert [entry["type"] for entry in entries] == ["job.queued", "ai.document_processed", "job.succeeded"]
    assert entries[1]["data"]["problem"]["type"] == UNREADABLE
    assert entries[0]["data"]["kind"] == "ai.process_document"


def test_a_group_is_given_the_event_and_all_others(world: World, tenant: Tenant, jobs: list[UUID]) -> None:
    with Bucatini(world.url, tenant.key) as client:
        given = client.groups.take("billing", 100, 60.0)

    told = {one.event.id: one.event.data for one in given}
    assert len(told) == 9
    assert (told[f"{jobs[0]}:2"], told[f"{jobs[2]}:2"]) == ({"n": 1}, {"n": 3})
    assert (told[f"{jobs[1]}:2"] or {})["problem"]["type"] == UNREADABLE


def test_streams_and_sockets_tell_the_event_and_go_on(world: World, tenant: Tenant, jobs: list[UUID]) -> None:
    with Bucatini(world.url, tenant.key) as client:
        by_stream = list(client.jobs.events(jobs[1]))
        by_socket = list(client.events.watch(jobs))

    assert [event.type for event in by_stream] == ["job.queued", "ai.document_processed", "job.succeeded"]
    assert (by_stream[1].data or {})["problem"]["type"] == UNREADABLE
    assert len(by_socket) == 9


def test_a_workflow_instance_that_grew_too_deep_is_shown_without_its_data(world: World, tenant: Tenant) -> None:
    instance_id = uuid4()
    world.database.execute(
        "INSERT INTO workflow_instances (id, tenant_id, status, state, data, steps, version) "
        "VALUES (%s, %s, 'succeeded', 'Wrap', %s, '[]', 1)",
        (instance_id, tenant.id, json.dumps(nested(ABYSS))),
    )
    with world.http(tenant) as http:
        answer = http.get(f"/api/workflow/instances/{instance_id}")

    assert answer.status_code == 200
    assert (answer.json()["data"], answer.json()["problem"]["type"]) == (None, UNREADABLE)


def test_what_may_be_stored_may_be_read_by_every_reader_and_sent_again(world: World, tenant: Tenant) -> None:
    deepest = nested(MAX_FREE_LEVELS)
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    with world.http(tenant) as http:
        started = http.post("/api/workflow/start", json={"definition": definition, "input": deepest})
        assert started.status_code == 202, started.text
        world.succeed(UUID(started.json()["id"]), {"output": deepest})
        told = http.get(f"/api/jobs/{started.json()['id']}").json()["result"]["output"]
        command = {"definition": definition, "input": told}
        batch = http.post("/api/jobs/batch", json={"jobs": [{"kind": "workflow.run_step", "command": command}]})
        deeper = http.post("/api/workflow/start", json={"definition": definition, "input": {"a": told}})
        listed = [job["result"] for job in http.get("/api/jobs", params={"include": "result"}).json()["jobs"]]

    assert batch.json()["jobs"][0]["outcome"] == "accepted"
    assert {"output": deepest} in listed
    assert deeper.status_code == 422
    (flaw,) = deeper.json()["errors"]
    assert flaw["pointer"] == "/input"
    assert "64 levels" in flaw["detail"]


def test_two_hundred_large_results_make_a_small_page_and_each_is_one_request_away(world: World, tenant: Tenant) -> None:
    large = {"text": "x" * 200_000}
    _, made = world.submit_batch(tenant, *({"title": f"Lease {number}"} for number in range(50)))
    for job_id in made:
        world.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED, result=large, tell=False)
    with world.http(tenant) as http:
        page = http.get("/api/jobs", params={"limit": 200, "include": "result"})
        first = page.json()["jobs"][0]
        fetched = http.get(first["result_url"]).json()
        alone = http.get(f"/api/jobs/{first['id']}").json()

    assert len(page.content) < 100_000
    assert (first["result"], first["result_bytes"] > 200_000) == (None, True)
    assert fetched == alone["result"] == large


def test_a_group_is_given_no_more_at_a_time_than_an_answer_holds_and_all_of_it_in_the_end(
    world: World, tenant: Tenant
) -> None:
    with Bucatini(world.url, tenant.key) as client:
        client.groups.put("billing", "ai.*")
        job_id = world.submit(tenant)
        for number in range(50):
            world.happen(job_id, "ai.document_processed", data={"n": number, "text": "x" * 200_000})
        taken = []
        while given := client.groups.take("billing", 100, 60.0):
            assert sum(len(str(one.event.data)) for one in given) < 5_000_000
            taken += [(one.event.data or {})["n"] for one in given]
            client.groups.acknowledge("billing", [one.receipt for one in given])
            if len(taken) == 50:
                break

    assert taken == list(range(50))


def test_a_schedule_keeps_no_command_that_dispatchers_would_choke_on(api_settings: Settings) -> None:
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    schedule = {"name": "nightly", "cron": "0 3 * * *", "kind": "workflow.run_step"}
    with (
        World(api_settings.model_copy(update={"max_body_bytes": 2_000_000})) as world,
        world.http(world.tenant()) as http,
    ):
        kept, refused = (
            http.post("/api/schedules", json={**schedule, "command": {"definition": definition, "input": "x" * length}})
            for length in (200_000, 300_000)
        )

    assert kept.status_code == 201
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("/out-of-bounds")
    assert "256,000" in refused.json()["detail"]
