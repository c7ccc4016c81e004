"""Who may not hand a command in may not act on it either, whatever the address."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.integration.serving import World

ROTATION = {"name": "rotation", "cron": "30 2 * * *", "kind": "keys.rotate", "command": {}}
DOCUMENT = {"kind": "ai.process_document", "command": {"title": "T", "text": "words"}}
ROTATE = {"kind": "keys.rotate", "command": {}}
ROTATING_WORKFLOW = {
    "StartAt": "Rotate",
    "States": {"Rotate": {"Type": "Task", "Resource": "urn:bucatini:job:keys.rotate", "Parameters": {}, "End": True}},
}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("POST", "/run", None),
        ("DELETE", "", None),
        ("PUT", "", {**ROTATION, "cron": "31 2 * * *"}),
        ("PUT", "", {**ROTATION, **DOCUMENT}),
    ],
)
def test_a_schedule_of_rotations_is_left_to_those_who_may_rotate(
    world: World, method: str, path: str, body: Any
) -> None:
    owner = world.tenant("jobs:read", "jobs:write", "keys:write")
    clerk = world.another_key(owner.id, "jobs:read", "jobs:write")
    with world.http(owner) as own, world.http(clerk) as http:
        address = own.post("/api/schedules", json=ROTATION).headers["location"]
        before = own.get(address).json()
        refused = http.request(method, address + path, json=body)
        after = own.get(address).json()
        allowed = own.request(method, address + path, json=body)

    assert (refused.status_code, after) == (403, before)
    assert "keys:write" in refused.json()["detail"]
    assert allowed.is_success


@pytest.mark.parametrize("made", ["job", "batch", "workflow"])
def test_a_rotation_is_not_cancelled_by_those_who_may_not_rotate(world: World, made: str) -> None:
    owner = world.tenant("jobs:read", "jobs:write", "keys:write")
    clerk = world.another_key(owner.id, "jobs:read", "jobs:write")
    with world.http(owner) as own, world.http(clerk) as http:
        address, job_id = _made(own, made)
        refused = http.post(f"{address}/cancel")
        standing = own.get(f"/api/jobs/{job_id}").json()["state"]
        allowed = own.post(f"{address}/cancel")

    assert (refused.status_code, standing) == (403, "queued")
    assert allowed.status_code == 200, allowed.text


def test_a_clerk_still_cancels_what_a_clerk_may_start(world: World) -> None:
    clerk = world.tenant("jobs:read", "jobs:write")
    with world.http(clerk) as http:
        batch = http.post("/api/jobs/batch", json={"jobs": [DOCUMENT, DOCUMENT]}).json()
        answers = [http.post(f"/api/batches/{batch['id']}/cancel"), http.post(f"/api/batches/{batch['id']}/cancel")]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_what_a_job_was_given_is_shown_to_those_alone_who_may_read_content(world: World) -> None:
    owner = world.tenant("jobs:write")
    reader, clerk = world.another_key(owner.id, "jobs:read_content"), world.another_key(owner.id, "jobs:read")
    job_id = world.submit(owner, title="Lease", text="Rent.")
    with world.http(reader) as allowed, world.http(clerk) as http, world.http(world.tenant()) as stranger:
        shown = allowed.get(f"/api/jobs/{job_id}/command")
        refused = http.get(f"/api/jobs/{job_id}/command")
        token = http.post(f"/api/jobs/{job_id}/token", json={}).json()["token"]
        by_token = httpx.get(f"{world.url}/api/jobs/{job_id}/command", headers={"authorization": f"Bearer {token}"})
        elsewhere = stranger.get(f"/api/jobs/{job_id}/command")

    assert (shown.json()["kind"], shown.json()["command"]["text"]) == ("ai.process_document", "Rent.")
    assert (refused.status_code, by_token.status_code, elsewhere.status_code) == (403, 403, 404)
    assert "jobs:read_content" in refused.json()["detail"]


def _made(http: httpx.Client, made: str) -> tuple[str, UUID]:
    match made:
        case "job":
            job_id = http.post("/api/keys/rotate", json={}).json()["id"]
            return f"/api/jobs/{job_id}", job_id
        case "batch":
            batch = http.post("/api/jobs/batch", json={"jobs": [DOCUMENT, ROTATE]}).json()
            return f"/api/batches/{batch['id']}", batch["jobs"][1]["job_id"]
        case _:
            job_id = http.post("/api/workflow/start", json={"definition": ROTATING_WORKFLOW, "input": {}}).json()["id"]
            return f"/api/jobs/{job_id}", job_id
