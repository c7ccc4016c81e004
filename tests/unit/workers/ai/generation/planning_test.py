"""What a model plans is checked, whatever its provider enforces."""

import json

import pytest

from infrastructure.ports.ai.sizes import MAX_SECTIONS
from workers.ai.generation.planning import PlanUnusable, read_plan

SECTION = {"heading": "# Rent", "instruction": "Say what it is."}


def test_a_plan_is_read_with_plain_headings() -> None:
    (section,) = read_plan(json.dumps({"sections": [SECTION]}))

    assert (section.heading, section.instruction) == ("Rent", "Say what it is.")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no JSON", "JSON"),
        ("[]", "JSON"),
        ('{"sections": 5}', "JSON"),
        ('{"sections": [{"heading": "Rent"}]}', "JSON"),
        ("[" * 100_000, "JSON"),
        ('{"sections": []}', "no sections"),
        (json.dumps({"sections": [SECTION] * (MAX_SECTIONS + 1)}), f"{MAX_SECTIONS} are allowed"),
        (json.dumps({"sections": [SECTION | {"heading": " # "}]}), "heading of section 1"),
        (json.dumps({"sections": [SECTION, SECTION | {"instruction": "x" * 10_000}]}), "instruction of section 2"),
    ],
)
def test_a_plan_that_is_none_says_why(text: str, why: str) -> None:
    with pytest.raises(PlanUnusable, match=why):
        read_plan(text)
