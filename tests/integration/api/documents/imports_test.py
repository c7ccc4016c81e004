"""A document through the whole system: it arrives, a worker reads it, and its text and facts are served."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from tests.integration.api.documents.senders import objects_in
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until

WAIT = {"prefer": "wait=60"}
WORDS = "The rent of EUR 1,250.00 is due on 1 May 2027. "
LONG = WORDS * 10_000


@pytest.fixture
def http(system: System, served: World) -> Iterator[httpx.Client]:
    system.start("workers.runtime", "search")
    with served.http(served.tenant()) as client:
        client.timeout = httpx.Timeout(90)
        yield client


def test_a_text_is_served_once_it_was_read(http: httpx.Client) -> None:
    answer = http.put("/api/documents/a", content=LONG, headers={"content-type": "text/plain", **WAIT})
    short = http.put("/api/documents/b", json={"text": WORDS}, headers=WAIT)
    text = http.get("/api/documents/a/text")
    part = http.get("/api/documents/a/text", headers={"range": "bytes=-20"})

    assert (answer.status_code, short.status_code) == (200, 200), answer.text
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.json()["job"]["state"] == "succeeded"
    assert answer.json()["document"]["current_version"] == 1
    assert answer.json()["document"]["newest"]["state"] == "ready"
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.text.split() == LONG.split()
    assert (part.status_code, part.content) == (206, text.content[-20:])
    assert http.get("/api/documents/b/text").text.strip() == WORDS.strip()


def test_a_version_that_can_not_be_read_says_why_and_the_one_before_it_stays(http: httpx.Client) -> None:
    http.put("/api/documents/a", json={"text": WORDS}, headers=WAIT).raise_for_status()
    broken = http.put(
        "/api/documents/a", content=b"%PDF-1.7\nbroken", headers={"content-type": "application/pdf", **WAIT}
    )
    current = http.get("/api/documents/a/content")
    newest = http.get("/api/documents/a/content", params={"version": 2})

    assert broken.status_code == 200
    assert broken.json()["job"]["state"] == "failed"
    assert broken.json()["document"]["newest"]["state"] == "failed"
    assert broken.json()["document"]["newest"]["problem"]["title"]
    assert (current.text, newest.content) == (WORDS, b"%PDF-1.7\nbroken")
    assert http.get("/api/documents/a/text", params={"version": 2}).status_code == 404


def test_each_version_after_the_first_is_heard_of_before_it_was_read(system: System, served: World) -> None:
    system.start("workers.runtime", "search")
    tenant, other = served.tenant(), served.tenant()
    with served.http(tenant) as http, served.http(other) as elsewhere:
        http.timeout = httpx.Timeout(90)
        for words in ("one", "two", "two"):
            http.put("/api/documents/a", json={"text": words}, headers=WAIT).raise_for_status()
        batch = {"documents": [{"id": "a", "text": "three"}, {"id": "b", "text": "one"}]}
        http.post("/api/documents/batch", json=batch, headers=WAIT).raise_for_status()
        elsewhere.put("/api/documents/a", json={"text": "other"}, headers=WAIT).raise_for_status()

        with http.stream("GET", "/api/events?type=documents.*", headers={"last-event-id": "0"}) as stream:
            frames = (said.json() for said in EventSource(stream).iter_sse() if said.event == "message" and said.data)
            heard: list[tuple[str, dict[str, Any]]] = []
            while [kind for kind, _ in heard].count("documents.imported") < 4:
                event = next(frames)
                heard.append((event["type"], event["data"]))

    assert [data for kind, data in heard if kind == "documents.version_added"] == [
        {"document_id": "a", "version": version} for version in (2, 3)
    ]
    of_a = [(kind, data["version"]) for kind, data in heard if data["document_id"] == "a"]
    assert of_a == [
        ("documents.imported", 1),
        ("documents.version_added", 2),
        ("documents.imported", 2),
        ("documents.version_added", 3),
        ("documents.imported", 3),
    ]


def test_a_deleted_document_isnt_found_although_its_removal_is_held(http: httpx.Client) -> None:
    def found() -> tuple[int, list[str]]:
        answer = http.post("/api/search/advanced", json={"match": {"op": "all_terms", "text": "rent"}}).json()
        return answer.get("total", 0), sorted(hit["document_id"] for hit in answer.get("hits", ()))

    for document_id in ("a", "b"):
        http.put(f"/api/documents/{document_id}", json={"text": WORDS}, headers=WAIT).raise_for_status()
    wait_until(lambda: found() == (2, ["a", "b"]), "both are found")
    http.post("/api/holds", json={"queue": "search", "reason": "the disk is full"}).raise_for_status()

    http.delete("/api/documents/a").raise_for_status()

    assert found() == (1, ["b"])


def test_a_batch_can_be_waited_for(http: httpx.Client) -> None:
    body = {"documents": [{"text": f"{WORDS} {number}"} for number in range(10)]}
    answer = http.post("/api/documents/batch", json=body, headers=WAIT)
    batch = http.get(answer.headers["location"]).json()

    assert (batch["state"], batch["by_state"]) == ("succeeded", {"succeeded": 10})


def test_what_was_deleted_is_gone_with_its_contents(http: httpx.Client, system: System) -> None:
    http.put("/api/documents/a", content=LONG, headers={"content-type": "text/plain", **WAIT}).raise_for_status()
    removal = http.delete("/api/documents/a").json()
    ended = http.get(f"/api/jobs/{removal['job_id']}", headers=WAIT).json()

    assert ended["state"] == "succeeded"
    assert http.get("/api/documents/a").status_code == 404
    assert http.get("/api/documents", params={"deleted": True}).json()["documents"][0]["deleted_at"]
    assert system.read("SELECT count(*) FROM document_versions WHERE original_key IS NOT NULL OR text IS NOT NULL") == [
        (0,)
    ]
    wait_until(lambda: objects_in(system.settings) == [], "its objects are gone")
    revived = http.put("/api/documents/a", json={"text": WORDS}, headers=WAIT)
    assert revived.json()["document"]["version"] == 2
