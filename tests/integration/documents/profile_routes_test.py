"""Ingestion profiles over HTTP: what may be set, by whom, and what stands without any."""

from typing import Any

import pytest

from tests.integration.serving import World

PROFILES = "/api/document-profiles"


def _workflow(kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    task = {"Type": "Task", "Resource": f"urn:bucatini:job:{kind}", "Parameters": parameters, "End": True}
    return {"workflow": {"definition": {"StartAt": "Do", "States": {"Do": task}}}}


def test_a_profile_is_set_shown_listed_and_removed(world: World) -> None:
    with world.http(world.tenant()) as http:
        before = http.get(PROFILES).json()["profiles"]
        made = http.put(f"{PROFILES}/contracts", json={"process": True})
        shown = http.get(f"{PROFILES}/contracts").json()
        listed = [one["name"] for one in http.get(PROFILES).json()["profiles"]]
        changed = http.put(f"{PROFILES}/default", json={"index": False})
        removed = [http.delete(f"{PROFILES}/{name}").status_code for name in ("contracts", "default", "contracts")]
        after = http.get(PROFILES).json()["profiles"]

    assert (made.status_code, shown) == (200, made.json())
    assert (shown["index"], shown["process"], shown["workflow"]) == (True, True, None)
    assert listed == ["default", "contracts"]
    assert (changed.status_code, changed.json()["index"]) == (200, False)
    assert removed == [204, 204, 404]
    assert (
        after == before == [{"index": True, "process": False, "workflow": None, "name": "default", "updated_at": None}]
    )


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"index": "yes"}, "/index"),
        ({"proces": True}, "/proces"),
        (_workflow("ai.process_documents", {}), "/workflow/definition/States/Do/Resource"),
        (_workflow("ai.process_document", {"language": "en"}), "/workflow/definition/States/Do/Parameters/title"),
        (_workflow("documents.import", {}), "/workflow/definition/States/Do/Resource"),
    ],
)
def test_a_profile_that_couldnt_run_is_refused_at_its_field(world: World, body: Any, pointer: str) -> None:
    with world.http(world.tenant()) as http:
        answer = http.put(f"{PROFILES}/contracts", json=body)

    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_a_profile_starts_only_what_who_sets_it_may_start(world: World) -> None:
    writer = world.tenant("documents:read", "documents:write", "jobs:write")
    uploader = world.another_key(writer.id, "documents:write")
    with world.http(writer) as http, world.http(uploader) as poor:
        rotating = http.put(f"{PROFILES}/rotating", json={"index": False, **_workflow("keys.rotate", {})})
        processing = poor.put(f"{PROFILES}/p", json={"index": False, "process": True})
        nothing = poor.put(f"{PROFILES}/p", json={"index": False})
        unread = poor.get(PROFILES)

    assert (rotating.status_code, rotating.json()["detail"].count("keys:write")) == (403, 1)
    assert (processing.status_code, nothing.status_code, unread.status_code) == (403, 200, 403)


@pytest.mark.parametrize("name", ["Contracts", "a" * 65, "a.b", "%20"])
def test_a_name_that_a_profile_cant_have_is_refused(world: World, name: str) -> None:
    with world.http(world.tenant()) as http:
        assert http.put(f"{PROFILES}/{name}", json={}).status_code == 422
        assert http.get(f"{PROFILES}/{name}").status_code == 404


def test_no_tenant_sees_anothers_profile(world: World) -> None:
    with world.http(world.tenant()) as http, world.http(world.tenant()) as stranger:
        http.put(f"{PROFILES}/contracts", json={})

        assert stranger.get(f"{PROFILES}/contracts").status_code == 404
        assert stranger.delete(f"{PROFILES}/contracts").status_code == 404
        assert len(stranger.get(PROFILES).json()["profiles"]) == 1


def test_a_profile_that_isnt_there_is_refused_before_anything_is_stored(world: World) -> None:
    text = {"text": "The rent is due."}
    with world.http(world.tenant()) as http:
        http.put(f"{PROFILES}/contracts", json={"index": False})
        known = http.post("/api/documents", json={**text, "profile": "contracts"})
        one = http.post("/api/documents", json={**text, "profile": "contrats"})
        raw = http.post(
            "/api/documents?profile=contrats", content=b"%PDF-1.7", headers={"content-type": "application/pdf"}
        )
        several = http.post("/api/documents/batch", json={"documents": [text, {**text, "profile": "contrats"}]})
        stored = http.get("/api/documents").json()["documents"]

    assert known.status_code == 202
    assert [answer.status_code for answer in (one, raw, several)] == [422, 422, 422]
    assert [answer.json()["errors"][0]["pointer"] for answer in (one, raw, several)] == [
        *("/profile", "/profile", "/documents/1/profile")
    ]
    assert "contracts, default" in one.text
    assert len(stored) == 1
