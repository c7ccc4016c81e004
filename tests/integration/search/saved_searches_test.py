"""Saved searches are told of each new document that matches, once, whatever is retried."""

from typing import Any

from schemas.search import MAX_SAVED_SEARCHES
from tests.integration.search.catalogue import OFTEN, Catalogue, catalogue, lease
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until

PATH = "/api/search/saved"


def test_a_new_document_and_a_version_that_matches_anew_are_told_of_and_no_other(shelf: Catalogue) -> None:
    shelf.save("overdue", "overdue")
    shelf.save("leases", "rent")

    shelf.indexed(lease(1, "The rent is overdue."))
    assert shelf.told() == [("leases", "lease-1", 1), ("overdue", "lease-1", 1)]
    shelf.indexed(lease(1, "The rent is still overdue."))
    assert len(shelf.told()) == 2, "the version before matched as well"
    shelf.indexed(lease(1, "The rent is paid."))
    assert len(shelf.told()) == 2
    shelf.indexed(lease(1, "The rent is overdue again."))

    assert shelf.told() == [("leases", "lease-1", 1), ("overdue", "lease-1", 1), ("overdue", "lease-1", 4)]


def test_documents_of_one_request_are_told_of_each(shelf: Catalogue) -> None:
    shelf.save("overdue", "overdue")

    shelf.indexed({"documents": [lease(n, "overdue" if n % 2 else "paid") for n in range(240)]})

    assert shelf.told() == sorted(("overdue", f"lease-{n}", 1) for n in range(240) if n % 2)


def test_what_is_indexed_anew_without_a_change_is_not_told_of_again(shelf: Catalogue) -> None:
    shelf.save("overdue", "overdue")
    shelf.indexed(lease(1, "overdue"))

    shelf.indexed(lease(1, "overdue"))
    shelf.indexed({"document": {"id": "lease-1"}})

    assert shelf.told() == [("overdue", "lease-1", 1)]


def test_a_document_that_was_taken_out_or_deleted_is_new_when_it_comes_back(shelf: Catalogue) -> None:
    shelf.save("overdue", "overdue")
    shelf.indexed({"documents": [lease(1, "overdue"), lease(2, "overdue")]})
    shelf.told()
    shelf.result(shelf.unindex("lease-1"))
    deleted = shelf.http.delete("/api/documents/lease-2").json()["job_id"]
    wait_until(lambda: shelf.http.get(f"/api/jobs/{deleted}").json()["state"] == "succeeded", "it is deleted")

    shelf.indexed({"documents": [lease(1, "overdue now"), lease(2, "overdue")]})

    assert shelf.told() == [("overdue", "lease-1", n) for n in (1, 2)] + [("overdue", "lease-2", n) for n in (1, 2)]


def test_another_query_begins_anew_and_another_description_does_not(shelf: Catalogue) -> None:
    shelf.save("mine", "overdue")
    shelf.indexed(lease(1, "overdue rent"))
    query = {"match": {"op": "all_terms", "text": "overdue"}}
    shelf.http.put(f"{PATH}/mine", json={"query": query, "description": "for Monday"})
    shelf.indexed({"document": {"id": "lease-1"}})
    assert shelf.told() == [("mine", "lease-1", 1)]

    shelf.save("mine", "rent")
    shelf.indexed(lease(1, "overdue rent, again"))

    assert shelf.told() == [("mine", "lease-1", 1), ("mine", "lease-1", 2)]


def test_imported_documents_are_told_of_too(shelf: Catalogue) -> None:
    shelf.save("overdue", "overdue")

    added = shelf.http.post("/api/documents", json={"id": "letter", "text": "It is overdue."})

    assert added.status_code == 202
    assert shelf.told() == [("overdue", "letter", 1)]


def test_workers_that_are_killed_tell_of_each_match_once(system: System, served: World) -> None:
    system.dispatcher(**OFTEN)
    with catalogue(system, served) as shelf:
        for number in range(5):
            shelf.save(f"search-{number}", "overdue")
        worker = system.start("workers.runtime", "search", **OFTEN)
        shelf.index({"documents": [lease(number, "overdue") for number in range(400)]})
        wait_until(lambda: _events(system) > 0, "the first matches are told of")
        worker.kill()
        system.start("workers.runtime", "search", **OFTEN)

        told = shelf.told()

        assert len(told) == len(set(told)) == 5 * 400


def test_nothing_follows_for_a_tenant_without_saved_searches(shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(1)]})
    shelf.told()

    assert [job["kind"] for job in shelf.http.get("/api/jobs").json()["jobs"]] == ["search.index_documents"]


def test_saved_searches_are_shown_changed_and_removed_and_lie_sealed(system: System, served: World) -> None:
    with catalogue(system, served) as shelf:
        search = {"name": "mine", "query": {"text": "Zyzzyva"}, "description": "Zyzzyva's own"}
        assert shelf.http.post(PATH, json=search).status_code == 201
        assert shelf.http.post(PATH, json=search).status_code == 409
        shown = shelf.http.get(f"{PATH}/mine").json()
        assert (shown["name"], shown["query"]["text"]) == ("mine", "Zyzzyva")
        assert [one["name"] for one in shelf.http.get(PATH).json()["searches"]] == ["mine"]
        (row,) = system.read("SELECT s::text FROM saved_searches s")
        assert b"Zyzzyva".hex() not in row[0]

        assert shelf.http.delete(f"{PATH}/mine").status_code == 204
        assert [shelf.http.delete(f"{PATH}/mine").status_code, shelf.http.get(f"{PATH}/mine").status_code] == [404, 404]


def test_no_more_than_the_most_are_kept_and_pages_are_refused(system: System, served: World) -> None:
    with catalogue(system, served) as shelf:
        for number in range(MAX_SAVED_SEARCHES):
            shelf.save(f"s{number}", "rent")

        query: dict[str, Any] = {"text": "rent"}
        assert shelf.http.put(f"{PATH}/more", json={"query": query}).status_code == 409
        shelf.save("s1", "overdue")
        assert shelf.http.put(f"{PATH}/s1", json={"query": {**query, "offset": 10}}).status_code == 422


def _events(system: System) -> int:
    (row,) = system.read("SELECT count(*) FROM job_events WHERE type = 'search.saved_matched'")
    return int(row[0])
