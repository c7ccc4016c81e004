"""A schema to extract by is used as it is, or refused before a job is made; and its job says what of it is unmet."""

from typing import Any

import pytest

from tests.integration.serving import World
from tests.system import System

PROCESS = "/api/ai/process-document"
LEASE = "This Lease is between Alder Ltd (the “Landlord”) and Birch GmbH. The rent is EUR 1,250.00 a month."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"landlord": {"type": "string"}, "rent": {"type": "number"}},
    "required": ["landlord", "rent"],
}


def asked(schema: dict[str, Any]) -> dict[str, Any]:
    return {"title": "Lease", "text": LEASE, "json_schema": schema}


@pytest.mark.parametrize(
    ("property_schema", "pointer"),
    [
        ({"pattern": "(?=a)b"}, "/json_schema/properties/rent/pattern"),
        ({"type": "money"}, "/json_schema/properties/rent/type"),
        ({"$ref": "https://example.com/rent.json"}, "/json_schema"),
    ],
)
def test_a_schema_that_can_t_be_used_makes_no_job(world: World, property_schema: Any, pointer: str) -> None:
    with world.http(world.tenant()) as http:
        refused = http.post(PROCESS, json=asked({"type": "object", "properties": {"rent": property_schema}}))

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert world.stored()["jobs"] == 0


def test_a_job_extracts_by_the_offline_model_and_says_what_of_a_schema_is_unmet(system: System, served: World) -> None:
    system.start("workers.runtime", "ai")
    with served.http(served.another_key(system.tenant_id)) as http:
        met = http.post(PROCESS, json=asked(SCHEMA)).json()["id"]
        unmet = http.post(
            PROCESS, json=asked({**SCHEMA, "properties": {"colour": {"type": "string"}}, "required": ["colour"]})
        ).json()["id"]
        system.await_state(met, "succeeded")
        system.await_state(unmet, "failed")
        result = http.get(f"/api/jobs/{met}").json()["result"]
        problem = http.get(f"/api/jobs/{unmet}").json()["problem"]

    assert result["extraction"]["data"] == {"landlord": "Alder Ltd", "rent": 1250}
    assert result["provider"] == {"name": "offline", "method": "extractive"}
    assert result["provenance"]["calls"] == 1
    assert problem["type"].endswith("/schema-unmet")
    assert "colour" in problem["detail"]
