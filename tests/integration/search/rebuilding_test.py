"""An index is rebuilt from the stored documents, one rebuild at a time, and what doesn't find what it must never answers."""

from typing import Any

from tests.integration.search.catalogue import Catalogue, lease


def test_a_new_generation_answers_and_can_be_rolled_back(shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(number) for number in range(5)]})
    (before,) = _indexes(shelf)

    result = shelf.result(shelf.submit("reindex"))

    answering, kept = _indexes(shelf)
    assert (result["documents"], result["generation"]) == (5, answering["generation"])
    assert (answering["answers"], answering["documents"]) == (True, 5)
    assert (kept["answers"], kept["generation"]) == (False, before["generation"])
    shelf.indexed(lease("new"))

    assert shelf.result(shelf.submit("rollback")) == {"generation": before["generation"]}
    assert len(shelf.found()) == 6, "what was indexed since is there as well"
    assert next(one for one in _indexes(shelf) if one["answers"])["generation"] == before["generation"]


def test_without_an_earlier_generation_there_is_nothing_to_roll_back_to(shelf: Catalogue) -> None:
    shelf.indexed(lease(1))

    job = shelf.submit("rollback")

    shelf.system.await_state(job, "failed")
    assert shelf.system.problem(job)["type"].endswith("/no-generation")
    assert shelf.found() == [("lease-1", 1)]


def test_an_index_that_lacks_what_a_saved_search_finds_never_answers(shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(1, "The rent is overdue."), lease(2)]})
    shelf.save("overdue", "overdue")
    shelf.system.read(
        "UPDATE document_versions SET text = set_byte(text, 90, get_byte(text, 90) # 1) "
        "WHERE tenant_id = %s AND document_id = 'lease-1' RETURNING 1",
        shelf.tenant.id,
    )

    job = shelf.submit("reindex")

    shelf.system.await_state(job, "failed")
    problem = shelf.system.problem(job)
    assert problem["type"].endswith("/rebuild-differs")
    assert shelf.found("overdue") == [("lease-1", 1)], "the old one still answers"


def test_rebuilds_of_a_tenant_wait_for_each_other(shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(number) for number in range(50)]})
    jobs = [shelf.submit("reindex") for _ in range(3)]
    assert [shelf.result(job)["documents"] for job in jobs] == [50, 50, 50]

    begun_or_ended = shelf.system.read(
        "SELECT e.type FROM job_events e JOIN jobs j ON j.id = e.job_id WHERE j.kind = 'search.reindex' "
        "AND e.type IN ('job.started', 'job.succeeded') ORDER BY e.at, e.seq"
    )

    assert [event for (event,) in begun_or_ended] == ["job.started", "job.succeeded"] * 3


def _indexes(shelf: Catalogue) -> list[dict[str, Any]]:
    indexes: list[dict[str, Any]] = shelf.http.get("/api/search/indexes").json()["indexes"]
    return indexes
