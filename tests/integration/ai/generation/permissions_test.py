"""Who may not store documents can't have a job store them either."""

from typing import Any

import pytest

from tests.integration.serving import World

NOTICE: dict[str, Any] = {"title": "N", "sections": [{"heading": "Rent", "text": "Due."}], "store": {"id": "notices/1"}}
TASK = {"Type": "Task", "Resource": "urn:bucatini:job:ai.generate_document", "Parameters": NOTICE, "End": True}
WORKFLOW = {"definition": {"StartAt": "Write", "States": {"Write": TASK}}}
SCHEDULE = {"name": "monthly", "cron": "30 2 1 * *", "kind": "ai.generate_document", "command": NOTICE}
BATCH = {"jobs": [{"kind": "ai.generate_document", "command": NOTICE}]}


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/api/ai/generate-document", NOTICE),
        ("/api/workflow/start", WORKFLOW),
        ("/api/schedules", SCHEDULE),
    ],
)
def test_a_document_is_stored_by_those_who_may_store_documents(world: World, address: str, body: Any) -> None:
    clerk = world.tenant("jobs:read", "jobs:write", "documents:read")
    author = world.another_key(clerk.id, "jobs:read", "jobs:write", "documents:read", "documents:write")
    with world.http(clerk) as http, world.http(author) as own:
        refused = http.post(address, json=body)
        allowed = own.post(address, json=body)

    assert (refused.status_code, "documents:write" in refused.json()["detail"]) == (403, True)
    assert allowed.is_success, allowed.text


def test_of_a_batch_only_the_item_that_would_store_is_refused(world: World) -> None:
    plain = {"kind": "ai.generate_document", "command": {**NOTICE, "store": None}}
    clerk = world.tenant("jobs:read", "jobs:write", "documents:read")
    with world.http(clerk) as http:
        answer = http.post("/api/jobs/batch", json={"jobs": [*BATCH["jobs"], plain]}).json()

    assert [one["outcome"] for one in answer["jobs"]] == ["forbidden", "accepted"]
