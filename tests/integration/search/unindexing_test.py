"""A document that was taken out of the index stays stored and is found no more, until it is indexed again."""

from tests.integration.search.catalogue import OFTEN, Catalogue, catalogue, lease
from tests.integration.serving import World
from tests.system import System


def test_it_stays_stored_and_no_rebuild_brings_it_back(shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(1), lease(2)]})

    result = shelf.result(shelf.unindex("lease-1"))

    assert result == {"document_id": "lease-1", "version": 1}
    assert shelf.found() == [("lease-2", 1)]
    assert shelf.http.get("/api/documents/lease-1/text").text == "The rent is due."
    assert shelf.result(shelf.submit("reindex"))["documents"] == 1
    assert shelf.found() == [("lease-2", 1)]


def test_indexing_the_same_version_again_works_however_often(shelf: Catalogue) -> None:
    shelf.indexed(lease(1))
    for _ in range(3):
        shelf.result(shelf.unindex("lease-1"))
        assert shelf.found() == []

        shelf.indexed({"document": {"id": "lease-1"}})

        assert shelf.found("rent") == [("lease-1", 1)]
    shelf.result(shelf.unindex("lease-1"))
    shelf.indexed(lease(1))
    assert shelf.found("rent") == [("lease-1", 1)], "sent along as well"
    shelf.result(shelf.submit("reindex"))
    assert shelf.found("rent") == [("lease-1", 1)]


def test_a_job_that_was_submitted_before_and_runs_late_brings_nothing_back(system: System, served: World) -> None:
    with catalogue(system, served) as shelf:
        worker = system.start("workers.runtime", "search", **OFTEN)
        shelf.indexed(lease(1))
        worker.kill()
        stored, sent = shelf.index({"document": {"id": "lease-1"}}), shelf.index(lease(1, "Sent late."))
        removal = shelf.unindex("lease-1")
        system.dispatcher(**OFTEN)
        system.start("workers.runtime", "search", **OFTEN)

        assert [shelf.result(job)["superseded"] for job in (stored, sent)] == [True, True]
        shelf.result(removal)

        assert shelf.found() == []


def test_what_was_never_indexed_is_not_found_and_slashes_belong_to_ids(shelf: Catalogue) -> None:
    document = {**lease(1), "document_id": "contracts/2026/0117"}
    shelf.indexed(document)

    assert shelf.http.delete("/api/search/index-document/nobody").status_code == 404
    shelf.result(shelf.unindex("contracts/2026/0117"))
    assert shelf.found() == []
