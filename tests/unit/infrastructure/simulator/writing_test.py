"""What the simulated models write."""

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.simulator.writing import pieces_of, prose, structured, tokens_in

FACT = {"type": "object", "properties": {"text": {"type": "string"}, "iso": {"type": ["string", "null"]}}}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 5}}, "required": ["n"]},
    {"type": "array", "items": {"$ref": "#/$defs/fact"}, "minItems": 2, "$defs": {"fact": FACT}},
    {"anyOf": [{"enum": ["low", "high"]}, {"type": "null"}]},
    {"type": "object", "properties": {"on": {"type": "string", "format": "date"}, "ok": {"type": "boolean"}}},
    {"type": "number", "minimum": 0, "maximum": 1},
    {"const": {"a": [1, None]}},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@given(prompt=st.text(max_size=50))
def test_structured_answers_meet_their_schema(schema: dict[str, Any], prompt: str) -> None:
    answer = json.loads("".join(structured("model", prompt, schema)))

    jsonschema_rs.validate(schema, answer)
    assert answer == json.loads("".join(structured("model", prompt, schema)))


@given(st.text(max_size=200).filter(lambda text: not text or not text[-1].isspace()))
def test_pieces_are_the_text_again(text: str) -> None:
    assert "".join(pieces_of(text)) == text


def test_prose_is_as_long_as_asked_for_and_depends_on_the_prompt_alone() -> None:
    assert len(prose("m", "p", 40)) == 40
    assert prose("m", "p", 40) == prose("m", "p", 40) != prose("m", "q", 40)
    assert tokens_in("".join(prose("m", "p", 40))) >= 40


def test_a_schema_that_refers_to_itself_ends() -> None:
    itself = {"$ref": "#/$defs/a"}
    many = {"type": "object", "properties": dict.fromkeys("abcdefghij", itself)}

    assert structured("m", "p", {**itself, "$defs": {"a": {"type": "array", "items": itself, "minItems": 9}}})
    assert structured("m", "p", {**itself, "$defs": {"a": many}})
    assert structured("m", "p", {**itself, "$defs": {"a": itself}})
