"""Commands name a stored document in place of a text: the version is theirs from their acceptance on."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from schemas.commands import path_of
from schemas.workflow import RunWorkflowStep
from tests.integration.documents.shelf import Shelf
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until

PROCESS = "/api/ai/process-document"
OLD, NEW = "Acme Ltd shall pay $500 by 1 May 2027.", "Acme Ltd shall pay $900 by 1 May 2028."
QUICK = {"SWEEP_SECONDS": "0.2", "RING_AGAIN_SECONDS": "1"}


@pytest.fixture
def shelf(system: System) -> Shelf:
    return Shelf(system)


@pytest.fixture
def http(system: System, served: World) -> Iterator[httpx.Client]:
    with served.http(served.another_key(system.tenant_id)) as client:
        yield client


def _imported(system: System, shelf: Shelf, *texts: str, document_id: str = "lease") -> None:
    for text in texts:
        system.await_state(shelf.upload(document_id, text), "succeeded")


def _command(system: System, job_id: Any) -> Any:
    return system.read("SELECT command FROM jobs WHERE id = %s", UUID(str(job_id)))[0][0]


def _errors(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(error["pointer"], error["detail"]) for error in answer.json()["errors"]]


def test_a_job_reads_the_version_it_was_accepted_for_and_keeps_what_it_found_there(
    system: System, shelf: Shelf, http: httpx.Client
) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)
    accepted = http.post(PROCESS, json={"document": {"id": "lease"}})
    _imported(system, shelf, NEW)
    assert accepted.status_code == 202, accepted.text
    job_id = UUID(accepted.json()["id"])
    assert _command(system, job_id)["document"] == {"id": "lease", "version": 1}
    assert "500" not in str(_command(system, job_id))

    system.start("workers.runtime", "ai")
    system.await_state(job_id, "succeeded")
    compared = http.post(
        "/api/ai/analyze-content",
        json={
            "document": {"id": "lease"},
            "analyses": ["comparison"],
            "reference_document": {"id": "lease", "version": 1},
        },
    ).json()
    system.await_state(UUID(compared["id"]), "succeeded")

    result = http.get(f"/api/jobs/{job_id}").json()["result"]
    assert [one["text"] for one in result["amounts"]] == ["$500"]
    assert (result["document_id"], result["unread_characters"]) == ("lease", 0)
    assert shelf.facts("lease") == [
        (1, job_id, "ai.process_document"),
        (2, UUID(compared["id"]), "ai.analyze_content"),
    ]
    served_facts = http.get("/api/documents/lease/facts").json()["facts"]
    assert [(one["version"], one["job_id"]) for one in served_facts] == [(2, compared["id"]), (1, str(job_id))]
    assert served_facts[1]["facts"]["amounts"] == result["amounts"]


def test_a_document_that_cant_be_read_is_refused_at_its_field(system: System, shelf: Shelf, http: httpx.Client) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)
    system.await_state(shelf.upload("bad", b"%PDF-1.7 cut", file_name="bad.pdf"), "failed")
    hold = http.post("/api/holds", json={"kind": None, "queue": "search", "reason": "a test"})
    assert hold.status_code == 201, hold.text
    shelf.upload("coming", NEW)

    missing = http.post(PROCESS, json={"document": {"id": "nothing"}})
    no_version = http.post(PROCESS, json={"document": {"id": "lease", "version": 7}})
    failed = http.post(PROCESS, json={"document": {"id": "bad"}})
    coming = http.post(PROCESS, json={"document": {"id": "coming"}})
    both = http.post(PROCESS, json={"title": "T", "text": "words", "document": {"id": "lease"}})
    neither = http.post(PROCESS, json={"title": "T"})

    for answer, reason in ((missing, "no such document"), (no_version, "no such document"), (failed, "has no text")):
        assert (answer.status_code, [pointer for pointer, _ in _errors(answer)]) == (422, ["/document"])
        assert reason in _errors(answer)[0][1]
    assert (coming.status_code, coming.json()["type"].rpartition("/")[2]) == (409, "document-importing")
    assert [pointer for pointer, _ in _errors(coming)] == ["/document"]
    assert (both.status_code, [pointer for pointer, _ in _errors(both)]) == (422, ["/text"])
    assert (neither.status_code, _errors(neither)) == (422, [("/text", "is required")])


def test_another_tenants_document_is_one_that_isnt_there(system: System, shelf: Shelf, served: World) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)

    with served.http(served.tenant()) as stranger:
        answer = stranger.post(PROCESS, json={"document": {"id": "lease", "version": 1}})
        nothing = stranger.post(PROCESS, json={"document": {"id": "nothing", "version": 1}})

    assert (answer.status_code, answer.json()["errors"]) == (422, nothing.json()["errors"])


def test_whoever_may_read_no_documents_has_no_job_read_one(system: System, shelf: Shelf, served: World) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)
    command = {"document": {"id": "lease"}}
    task = {"Type": "Task", "Resource": "urn:bucatini:job:ai.process_document", "End": True}
    workflow = {"definition": {"StartAt": "Do", "States": {"Do": task}}, "input": command}

    with served.http(served.another_key(system.tenant_id, "jobs:read", "jobs:write")) as clerk:
        answers = [
            clerk.post(PROCESS, json=command),
            clerk.post(path_of(RunWorkflowStep), json=workflow),
            clerk.post("/api/jobs/batch", json={"jobs": [{"kind": "ai.process_document", "command": command}]}),
            clerk.post(
                "/api/schedules",
                json={"name": "s", "cron": "0 0 1 1 *", "kind": "ai.process_document", "command": command},
            ),
        ]
        with_text = clerk.post(PROCESS, json={"title": "T", "text": "words"})

    assert [answer.status_code for answer in answers] == [403] * 4, [answer.text for answer in answers]
    assert with_text.status_code == 202


def test_a_batch_pins_each_of_its_documents_and_says_which_it_cant(
    system: System, shelf: Shelf, http: httpx.Client
) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD, NEW)
    refs: list[dict[str, Any]] = [{"id": "lease"}, {"id": "nothing"}, {"id": "lease", "version": 1}]
    jobs = [{"kind": "ai.process_document", "command": {"document": ref}} for ref in refs]
    jobs.append({"kind": "search.index_document", "command": {"document": {"id": "lease"}}})

    answer = http.post("/api/jobs/batch", json={"jobs": jobs})

    assert answer.status_code == 202, answer.text
    items = answer.json()["jobs"]
    assert [item["outcome"] for item in items] == ["accepted", "invalid", "accepted", "accepted"]
    assert [error["pointer"] for error in items[1]["errors"]] == ["/jobs/1/command/document"]
    pinned = [_command(system, item["job_id"])["document"]["version"] for item in items if item["job_id"]]
    assert pinned == [2, 1, 2]


def test_a_repeated_request_is_the_same_though_a_newer_version_came_meanwhile(
    system: System, shelf: Shelf, http: httpx.Client
) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)
    key = {"idempotency-key": "once"}
    first = http.post(PROCESS, json={"document": {"id": "lease"}}, headers=key)
    _imported(system, shelf, NEW)

    again = http.post(PROCESS, json={"document": {"id": "lease"}}, headers=key)
    other = http.post(PROCESS, json={"document": {"id": "lease", "version": 1}}, headers=key)

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert other.json()["type"].endswith("/idempotency-key-reused"), other.text
    assert _command(system, first.json()["id"])["document"]["version"] == 1


def test_a_replayed_job_keeps_its_version_and_one_with_a_new_command_gets_the_current(
    system: System, shelf: Shelf, http: httpx.Client
) -> None:
    system.start("workers.runtime", "search")
    _imported(system, shelf, OLD)
    jobs = [http.post(PROCESS, json={"document": {"id": "lease"}}).json()["id"] for _ in range(2)]
    for job_id in jobs:
        assert http.post(f"/api/jobs/{job_id}/cancel").status_code == 200
    _imported(system, shelf, NEW)

    same = http.post(f"/api/jobs/{jobs[0]}/replay", json={})
    edited = http.post(f"/api/jobs/{jobs[1]}/replay", json={"command": {"document": {"id": "lease"}}})

    assert (same.status_code, edited.status_code) == (202, 202), edited.text
    assert [_command(system, job_id)["document"]["version"] for job_id in jobs] == [1, 2]


def test_a_workflows_step_reads_the_document_that_its_input_names(
    system: System, shelf: Shelf, http: httpx.Client
) -> None:
    for pool in ("search", "workflow", "ai"):
        system.start("workers.runtime", pool)
    _imported(system, shelf, OLD)
    task = {
        "Type": "Task",
        "Resource": "urn:bucatini:job:ai.process_document",
        "Parameters": {"document.$": "$.document"},
        "End": True,
    }
    workflow = {"StartAt": "Read", "States": {"Read": task}}
    set_profile = http.put(
        "/api/document-profiles/reading", json={"index": False, "workflow": {"definition": workflow}}
    )
    assert set_profile.status_code == 200, set_profile.text

    imported = shelf.upload("lease", NEW, profile="reading")

    system.await_state(imported, "succeeded")
    starts = "SELECT id FROM jobs WHERE causation_id = %s AND kind = 'workflow.run_step'"
    ((instance,),) = wait_until(lambda: system.read(starts, imported), "the workflow begins")
    system.await_state(instance, "succeeded")
    assert [(version, kind) for version, _, kind in shelf.facts("lease")] == [(2, "ai.process_document")]
    assert shelf.found() == [("lease", 1)], "the profile doesn't have it indexed"
