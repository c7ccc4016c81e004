"""Many documents are indexed by one job, and one that can't be keeps no other from it."""

import pytest

from schemas.search import MAX_DOCUMENTS
from tests.integration.search.catalogue import OFTEN, Catalogue, catalogue, lease
from tests.integration.serving import World
from tests.system import System
from tests.tenancy import limit_tenant
from tests.waiting import wait_until


def test_sent_and_stored_documents_are_indexed_together_and_the_last_of_an_id_counts(shelf: Catalogue) -> None:
    shelf.indexed(lease("stored", "Kept already."))
    shelf.system.await_state(shelf.unindex("lease-stored"), "succeeded")

    documents = [lease(1), {"id": "lease-stored"}, lease(2, "old words"), lease(2, "new words")]
    result = shelf.indexed({"documents": documents})

    assert (result["indexed"], result["superseded"], result["failed"]) == (3, 1, 0)
    assert shelf.found() == [("lease-1", 1), ("lease-2", 1), ("lease-stored", 1)]
    assert shelf.found("new words") == [("lease-2", 1)]


def test_a_document_that_was_deleted_meanwhile_is_named_with_its_problem_and_the_others_are_found(
    system: System, served: World
) -> None:
    with catalogue(system, served) as shelf:
        worker = system.start("workers.runtime", "search", **OFTEN)
        shelf.indexed(lease("gone"))
        worker.kill()
        job = shelf.index({"documents": [{"id": "lease-gone"}, lease(1)]})
        assert shelf.http.delete("/api/documents/lease-gone").status_code == 202
        system.dispatcher(**OFTEN)
        system.start("workers.runtime", "search", **OFTEN)

        result = shelf.result(job)

        assert (result["indexed"], result["failed"]) == (1, 1)
        (failure,) = result["failures"]
        assert failure["document_id"] == "lease-gone"
        assert failure["problem"]["type"].endswith("/document-gone")
        assert shelf.found() == [("lease-1", 1)]


def test_what_the_tenant_has_no_room_for_keeps_nothing_else_out(shelf: Catalogue) -> None:
    limit_tenant(shelf.system.settings, shelf.tenant.id, documents=3)

    result = shelf.indexed({"documents": [lease(number) for number in range(5)]})

    assert (result["indexed"], result["failed"]) == (3, 2)
    assert {one["problem"]["type"].rpartition("/")[2] for one in result["failures"]} == {"too-many-documents"}
    assert len(shelf.found()) == 3


def test_a_late_job_with_many_replaces_nothing_newer(system: System, served: World) -> None:
    with catalogue(system, served) as shelf:
        late = shelf.index({"documents": [lease(1, "old words"), lease(2)]})
        newer = shelf.index(lease(1, "new words"))
        system.dispatcher(**OFTEN)
        system.start("workers.runtime", "search", **OFTEN)

        shelf.result(late)
        shelf.result(newer)

        assert shelf.found("new words") != []
        assert shelf.found("old words") == []


def test_a_killed_worker_leaves_every_document_once_and_in_its_newest_version(system: System, served: World) -> None:
    system.dispatcher(**OFTEN)
    with catalogue(system, served) as shelf:
        first, _ = (system.start("workers.runtime", "search", **OFTEN) for _ in range(2))
        jobs = [
            shelf.index({"documents": [lease(number, f"round{turn}") for number in range(200)]}) for turn in range(6)
        ]
        wait_until(lambda: system.states()["succeeded"] > 0, "some are indexed")
        first.kill()

        for job in jobs:
            shelf.result(job)
        searched = shelf.http.post("/api/search/advanced", json={"limit": 0}).json()
        newest = {"match": {"op": "all_terms", "text": "round5"}, "limit": 0}

        assert searched["total"] == 200
        assert shelf.http.post("/api/search/advanced", json=newest).json()["total"] == 200


@pytest.mark.parametrize(
    ("documents", "pointer"),
    [
        ([], "/documents"),
        ([lease(1)] * (MAX_DOCUMENTS + 1), "/documents"),
        ([lease(number, "x" * 200_000) for number in range(16)], "/documents"),
        ([lease(1), {"document_id": "x"}], "/documents/1/title"),
        ([{"id": "nobody-has-it"}], "/documents/0"),
        ([lease(1, "x" * 200_001)], "/documents/0/text"),
    ],
)
def test_what_is_out_of_bounds_or_unknown_is_refused_with_its_place(
    system: System, served: World, documents: list[object], pointer: str
) -> None:
    with catalogue(system, served) as shelf:
        answer = shelf.http.post("/api/search/index-document", json={"documents": documents})

        assert answer.status_code == 422
        assert pointer in {error["pointer"] for error in answer.json()["errors"]}
        assert shelf.http.get("/api/jobs").json()["jobs"] == []
