"""A prompt may leave its sections to a model."""

import json
from decimal import Decimal

import pytest

from schemas.ai import GenerateDocument
from tests.integration.ai.generation.writers import Writers
from tests.integration.serving import World


@pytest.mark.parametrize("model", ["gpt-6-luna", "claude-sonnet-5-5"])
def test_a_prompt_with_an_outline_is_planned_once_and_then_written(writers: Writers, model: str) -> None:
    with World(writers.system.settings) as world, world.http(world.another_key(writers.system.tenant_id)) as http:
        content = {"outline": "A letter about {{ topic }}.", "variables": {"topic": {}}}
        http.post("/api/prompts", json={"name": "letter", "content": content}).raise_for_status()
    writers.start(model)
    writers.simulator.fault(writers.key, "answer", text="no plan at all")
    plan = {"sections": [{"heading": "# Price", "instruction": "Say it."}, {"heading": "End", "instruction": "Greet."}]}
    writers.simulator.fault(writers.key, "answer", text=json.dumps(plan))
    letter = {"title": "Boats", "prompt": {"name": "letter", "version": 1}, "facts": {"topic": "boats"}}
    (job_id,) = writers.system.submit(GenerateDocument.model_validate(letter))
    result = writers.result(job_id)

    assert [one["heading"] for one in result["sections"]] == ["Price", "End"]
    assert [one["purpose"] for one in result["provenance"]["attempts"]] == ["plan", "plan", "section", "section"]
    assert Decimal(result["provenance"]["cost_usd"]) == writers.simulator.charged(writers.key)
