"""What no model can answer, or nobody may pay for, is refused before anything is sent, kept or written down."""

import asyncio
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from infrastructure.model_registry.registry import ModelRegistry, load
from infrastructure.offline.model import OfflineModel
from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.ports.ai import errors
from infrastructure.ports.ai.errors import Failure, ModelError
from infrastructure.ports.ai.response import FinishReason
from tests.model_calls import OnTheLoop, question
from workers.ai.pipeline.call import ModelCall, ModelReply
from workers.ai.pipeline.composition import composed
from workers.ai.pipeline.pricing import pricing
from workers.ai.pipeline.problems import of_model_error
from workers.ai.pipeline.validation import validation

MODELS = """
[providers.compatible]
api = "chat"
base_url = "http://127.0.0.1:9/v1"

[models.mystery]
provider = "compatible"
max_input_tokens = 8_000
max_output_tokens = 4_000

[models.offline]
provider = "offline"
max_input_tokens = 250_000
max_output_tokens = 16_000
rates = { input_mtok = "0", output_mtok = "0" }
"""


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    file = tmp_path / "models.toml"
    file.write_text(MODELS)
    return load(file)


def asked(registry: ModelRegistry, text: str = "What is said?", **fields: Any) -> tuple[str, ...]:
    """The candidates that come through."""
    passed: list[ModelCall] = []

    async def rest(call: ModelCall, _: object) -> ModelReply:
        passed.append(call)
        return ModelReply("", FinishReason.STOP, "", "", "", ())

    offline = OfflineModel(OnTheLoop())
    steps = (
        validation(registry, {"offline": offline, "compatible": offline}, ("offline",)),
        pricing(registry, lambda: date(2026, 11, 30)),
        rest,
    )
    asyncio.run(_run(composed(steps)(question(uuid4(), text, **fields))))
    return passed[0].models


async def _run(reply: Any) -> None:
    await reply


def nested(depth: int) -> Mapping[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"in": schema}}
    return schema


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"text": " \n"}, "model-request-refused"),
        ({"text": "x" * 9_000_000}, "input-too-long"),
        ({"text": "word " * 450_000}, "input-too-long"),
        ({"max_output_tokens": 0}, "model-request-refused"),
        ({"max_output_tokens": 1_000_000}, "model-request-refused"),
        ({"stop": ("",)}, "model-request-refused"),
        ({"stop": ("a", "b", "c", "d", "e")}, "model-request-refused"),
        ({"schema": nested(120)}, "schema-unusable"),
        ({"schema": {"enum": list(range(25_000))}}, "schema-unusable"),
        ({"schema": {"description": "x" * 200_001}}, "schema-unusable"),
        ({"schema": {"type": 7}}, "schema-unusable"),
        ({"models": ("gpt-nobody-has",)}, "no-such-model"),
        ({"models": ("mystery",)}, "model-unpriced"),
        ({"models": ("gpt-6-luna",), "max_cost_usd": Decimal(0)}, "ai-budget-used-up"),
    ],
)
def test_it_is_refused_by_name(registry: ModelRegistry, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refused) as refused:
        asked(registry, **fields)

    assert refused.value.problem.type.endswith(problem)
    assert refused.value.problem.detail


def test_a_candidate_that_can_not_take_it_is_left_out(registry: ModelRegistry) -> None:
    assert asked(registry, models=("mystery", "gpt-6-luna")) == ("gpt-6-luna",)
    assert asked(registry, "word " * 300_000, models=("offline", "gpt-6-luna")) == ("gpt-6-luna",)
    assert asked(registry, max_output_tokens=50_000, models=("offline", "gpt-6-luna")) == ("gpt-6-luna",)


def test_what_only_the_estimate_takes_for_too_long_is_counted(registry: ModelRegistry) -> None:
    assert asked(registry, "word " * 150_000) == ("offline",), "an estimate of 375,000 tokens, and 150,000 words"


def test_a_job_without_money_may_use_what_costs_nothing(registry: ModelRegistry) -> None:
    assert asked(registry, models=("gpt-6-luna", "offline"), max_cost_usd=Decimal(0)) == ("offline",)


@pytest.mark.parametrize(
    ("error", "raised", "problem"),
    [
        (errors.AuthenticationRefused("no", Failure("p", "m")), Refused, "model-key-missing"),
        (errors.AuthenticationRefused("no", Failure("p", "m", status=401)), Refused, "model-key-refused"),
        (errors.QuotaExhausted("no", Failure("p", "m", status=429)), Refused, "model-quota-used-up"),
        (errors.ContentRefused("no", Failure("p", "m", status=200)), Refused, "content-refused"),
        (errors.BadRequest("no", Failure("p", "m", status=400)), Refused, "model-request-refused"),
        (errors.Throttled("no", Failure("p", "m", status=429)), TryLater, "models-unavailable"),
        (errors.Overloaded("no", Failure("p", "m", status=529)), Unavailable, ""),
    ],
)
def test_each_way_to_fail_is_a_problem_of_its_own(error: ModelError, raised: type[Exception], problem: str) -> None:
    made = of_model_error(error)

    assert isinstance(made, raised)
    if isinstance(made, Refused | TryLater):
        assert made.problem.type.endswith(problem)
